import functools

import jax
import numpy as np
import pytest
from scipy import ndimage

from expocm_jax.method import eact, masks

SHAPE = (3, 10, 12, 3)
RNG = np.random.default_rng(0)
X0, OTHER_X0, Y = (RNG.uniform(0, 1, SHAPE).astype(np.float32) for _ in range(3))
NOISE = RNG.normal(size=SHAPE).astype(np.float32)
WEIGHTS = RNG.dirichlet([1, 1, 1], SHAPE[:-1]).astype(np.float32)
MASKS = masks.ExposureMasks(*(WEIGHTS[..., i : i + 1] for i in range(3)))
T = np.float32([0.1, 0.5, 0.9])
OTHER_OPTIONS = {
  "sigma_over": 0.9,
  "sigma_under": 0.3,
  "sigma_good": 0.1,
  "lambda_under": 0.5,
  "blur_sigma": 1.4,
}
DEFAULT_OPTIONS = {
  "sigma_over": 0.15,
  "sigma_under": 0.12,
  "sigma_good": 0.06,
  "lambda_under": 1.0,
  "blur_sigma": 2.0,
}

# Compiled once a shape, which is faster than one operation after the other.
compiled = jax.jit(eact.eact_state, static_argnames=tuple(OTHER_OPTIONS))
low_pass = jax.jit(functools.partial(eact.low_pass, sigma=2.0))


def eact_state(*arrays, **options):
  return compiled(*arrays, **DEFAULT_OPTIONS | options)


def blur64(image, sigma=2.0):
  radius = np.ceil(2 * sigma)
  return ndimage.gaussian_filter(
    np.float64(image), sigma=(sigma, sigma, 0), mode="mirror", truncate=radius / sigma
  )


def mixture64(
  x0,
  y,
  noise,
  t,
  over,
  under,
  good,
  *,
  sigma_over=0.15,
  sigma_under=0.12,
  sigma_good=0.06,
  lambda_under=1.0,
  blur_sigma=2.0,
):
  """Eq. 8-11 region by region, for a batch."""
  x0, y, noise, over, under, good = (np.float64(a) for a in (x0, y, noise, over, under, good))
  t = np.float64(t)[:, None, None, None]
  low = np.stack([blur64(image, blur_sigma) for image in y])
  x_over = (1 - t) * x0 + sigma_over * t * noise
  x_under = (1 - t) * x0 + t * lambda_under * low + sigma_under * t * noise
  x_good = (1 - t) * x0 + t * y + sigma_good * t * noise
  return over * x_over + under * x_under + good * x_good


@pytest.mark.parametrize("options", [{}, OTHER_OPTIONS], ids=["default", "other"])
def test_the_field_form_equals_the_mixture_of_three_regions(options):
  got = eact_state(X0, Y, NOISE, T, MASKS, **options)
  assert got.dtype == np.float32
  np.testing.assert_allclose(got, mixture64(X0, Y, NOISE, T, *MASKS, **options), atol=2e-6)


def test_x_0_is_exactly_the_clean_hdr():
  got = eact_state(X0, Y, NOISE, np.zeros(3, np.float32), MASKS)
  np.testing.assert_array_equal(got, X0)


def test_x_1_does_not_depend_on_the_hdr():
  ends = [eact_state(x0, Y, NOISE, np.ones(3, np.float32), MASKS) for x0 in (X0, OTHER_X0)]
  np.testing.assert_array_equal(*ends)
  np.testing.assert_allclose(ends[0], mixture64(X0, Y, NOISE, np.ones(3), *MASKS), atol=2e-6)


def test_the_uniform_variant_is_the_baseline_bridge():
  got = eact_state(X0, Y, NOISE, T, masks.ignore_exposure(MASKS), sigma_good=0.5)
  t = np.float64(T)[:, None, None, None]
  np.testing.assert_allclose(got, (1 - t) * X0 + t * Y + 0.5 * t * NOISE, atol=1e-6)


def test_the_two_mask_variant_sends_dark_pixels_along_the_over_trajectory():
  got = eact_state(X0, Y, NOISE, T, masks.merge_pathological(MASKS))
  over, under, good = MASKS
  expected = mixture64(X0, Y, NOISE, T, over + under, np.zeros_like(under), good)
  np.testing.assert_allclose(got, expected, atol=2e-6)


def test_one_noise_is_shared_by_all_times_and_regions():
  expected = MASKS.over * 0.15 + MASKS.under * 0.12 + MASKS.good * 0.06
  for t in (0.25, 1.0):
    times = np.full(3, t, np.float32)
    noisy, still = (eact_state(X0, Y, n, times, MASKS) for n in (NOISE, np.zeros_like(NOISE)))
    np.testing.assert_allclose(noisy - still, t * expected * NOISE, atol=1e-6)


def test_every_pixel_is_noisy_between_the_ends():
  times = np.full(3, 0.5, np.float32)
  noisy, still = (eact_state(X0, Y, np.full_like(Y, n), times, MASKS) for n in (1.0, 0.0))
  assert np.min(noisy - still) >= 0.5 * 0.06 - 1e-6


@pytest.mark.parametrize("size", [(9, 14), (5, 4), (1, 2), (1, 1)])
def test_low_pass_matches_scipy_also_below_its_radius(size):
  image = np.random.default_rng(1).uniform(0, 1, size + (3,)).astype(np.float32)
  np.testing.assert_allclose(low_pass(image), blur64(image), atol=1e-6)


def test_low_pass_keeps_flat_images_and_treats_images_of_a_batch_apart():
  np.testing.assert_allclose(low_pass(np.full((5, 4, 3), 0.3, np.float32)), 0.3, rtol=1e-6)
  np.testing.assert_allclose(low_pass(Y), [low_pass(image) for image in Y], atol=1e-7)


def test_unbatched_equals_batched():
  batched = eact_state(X0, Y, NOISE, T, MASKS)
  single = masks.ExposureMasks(*(mask[1] for mask in MASKS))
  got = eact_state(X0[1], Y[1], NOISE[1], T[1], single)
  np.testing.assert_allclose(got, batched[1], atol=1e-7)


def test_mismatched_shapes_are_refused():
  with pytest.raises(AssertionError):
    eact_state(X0[:, :4], Y, NOISE, T, MASKS)
