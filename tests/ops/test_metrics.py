"""Every metric against an independent implementation in float64, and what all have in common."""

import functools

import colour
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from expocm_jax.ops import metrics, tone_curves

pytestmark = pytest.mark.usefixtures("quick_compiles")
BT709 = colour.models.RGB_COLOURSPACE_BT709
SHAPE = (2, 13, 16, 3)
# Compiled once a shape, which is faster than one operation after the other.
psnr = jax.jit(metrics.psnr, static_argnames="peak")
ssim = jax.jit(metrics.ssim, static_argnames="peak")
pu21_psnr = jax.jit(metrics.pu21_psnr)
pu21_ssim = jax.jit(metrics.pu21_ssim)
psnr_mu_headroom = jax.jit(metrics.psnr_mu_headroom, static_argnames=("headroom", "mu"))
delta_e = jax.jit(metrics.delta_e_2000_mean)
light_bias = jax.jit(metrics.light_bias)
peak_bias = jax.jit(metrics.peak_bias)
texture = jax.jit(metrics.texture)
fidelity = jax.jit(metrics.fidelity)
# name -> (metric, its best)
METRICS = {
  "psnr_mu_headroom": (functools.partial(psnr_mu_headroom, headroom=16.0, mu=5000.0), np.inf),
  "pu21_psnr": (pu21_psnr, np.inf),
  "delta_e_2000": (delta_e, 0.0),
  "ssim": (functools.partial(ssim, peak=1.0), 1.0),
  "pu21_ssim": (pu21_ssim, 1.0),
  "light_bias": (light_bias, 0.0),
}
every_metric = pytest.mark.parametrize("name", METRICS)


def pair(seed=0, shape=SHAPE):
  """A reference with values far above 1, and a prediction with negative ones."""
  rng = np.random.default_rng(seed)
  ref = rng.gamma(0.5, 4.0, shape)
  pred = ref * rng.uniform(0.7, 1.3, shape) - 0.01
  return pred.astype(np.float32), ref.astype(np.float32)


def region(seed=1, shape=(*SHAPE[:3], 1)):
  return np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32)


both = pytest.mark.parametrize("weights", [None, region()], ids=["all", "region"])


def mean64(values, weights):
  """Weighted mean over each image of [B, H, W, C]."""
  weights = np.ones(values.shape) if weights is None else np.float64(weights)
  return np.array([
    np.average(v, weights=np.broadcast_to(w, v.shape))
    for v, w in zip(values, weights, strict=True)
  ])  # fmt: skip


def psnr64(pred, ref, peak, weights=None):
  return 10 * np.log10(peak**2 / mean64((np.float64(pred) - np.float64(ref)) ** 2, weights))


def ssim64(pred, ref, peak, weights=None):
  """scikit-image's map with the settings of Wang et al., averaged over whole windows."""
  maps = [
    structural_similarity(
      p, r, data_range=peak, channel_axis=-1, full=True, gaussian_weights=True, sigma=1.5,
      use_sample_covariance=False,
    )[1]
    for p, r in zip(np.float64(pred), np.float64(ref), strict=True)
  ]  # fmt: skip
  inside = None if weights is None else weights[:, 5:-5, 5:-5]
  return mean64(np.stack(maps)[:, 5:-5, 5:-5], inside)


def pu21_64(nits):
  """PU21, banding_glare, of Mantiuk and Azimi 2021."""
  p = (0.353487901, 0.3734658629, 8.277049286e-05, 0.9062562627, 0.09150303166, 0.9099517204)
  y = np.clip(np.float64(nits), 0.005, 1e4) ** p[3]
  return np.maximum(596.3148142 * (((p[0] + p[1] * y) / (1 + p[2] * y)) ** p[4] - p[5]), 0)


@both
def test_psnr_matches_numpy(weights):
  pred, ref = pair()
  got = psnr(pred, ref, peak=256.0, weights=weights)
  assert got.dtype == jnp.float32
  np.testing.assert_allclose(got, psnr64(pred, ref, 256.0, weights), atol=1e-4)


@both
def test_psnr_mu_headroom_is_psnr_of_the_clipped_mu_law(weights):
  pred, ref = pair()
  for headroom, mu in ((16.0, 5000.0), (4.0, 500.0)):
    codes = (
      np.log1p(mu * np.clip(np.float64(x) / headroom, 0, 1)) / np.log1p(mu) for x in (pred, ref)
    )
    got = psnr_mu_headroom(pred, ref, headroom=headroom, mu=mu, weights=weights)
    np.testing.assert_allclose(got, psnr64(*codes, 1.0, weights), atol=1e-4)


@both
def test_pu21_psnr_takes_the_channels_at_a_peak_of_256(weights):
  pred, ref = (100 * x for x in pair())
  expected = psnr64(pu21_64(pred), pu21_64(ref), 256.0, weights)
  np.testing.assert_allclose(pu21_psnr(pred, ref, weights=weights), expected, atol=1e-3)


def test_pu21_codes_are_those_of_another_package():
  utils = pytest.importorskip("pycvvdp.utils", reason="needs the optional package cvvdp")
  nits = np.geomspace(0.005, 1e4, 50)
  got = tone_curves.pu21_encode(nits.astype(np.float32))
  np.testing.assert_allclose(got, utils.PU()._encode_direct(nits), atol=5e-4)


@both
def test_ssim_matches_scikit_image(weights):
  pred, ref = (x / 16 for x in pair())
  got = ssim(pred, ref, peak=1.0, weights=weights)
  assert got.dtype == jnp.float32
  np.testing.assert_allclose(got, ssim64(pred, ref, 1.0, weights), atol=2e-6)


@both
def test_pu21_ssim_is_of_the_luminance_with_a_range_of_256(weights):
  pred, ref = (100 * x for x in pair())
  codes = (pu21_64(np.float64(x) @ [[0.2126], [0.7152], [0.0722]]) for x in (pred, ref))
  got = pu21_ssim(pred, ref, weights=weights)
  np.testing.assert_allclose(got, ssim64(*codes, 256.0, weights), atol=2e-6)


def test_ssim_keeps_its_digits_on_a_bright_image_with_little_contrast():
  rng = np.random.default_rng(0)
  ref = (500 + rng.normal(0, 0.5, SHAPE)).astype(np.float32)
  pred = (ref + rng.normal(0, 0.5, SHAPE)).astype(np.float32)
  got = ssim(pred, ref, peak=4.0)
  np.testing.assert_allclose(got, ssim64(pred, ref, 4.0), atol=1e-4)


def test_ssim_wants_a_whole_window():
  with pytest.raises(ValueError, match="11 x 11 pixels: 10 x 16"):
    metrics.ssim(np.zeros((10, 16, 1), np.float32), np.zeros((10, 16, 1), np.float32), peak=1.0)


@both
def test_delta_e_2000_mean_matches_colour(weights):
  pred, ref = (np.clip(x / 8, 0, 1) for x in pair())
  matrix = colour.normalised_primary_matrix(BT709.primaries, BT709.whitepoint)
  lab = (
    colour.XYZ_to_Lab(colour.models.eotf_sRGB(np.float64(x)) @ matrix.T, BT709.whitepoint)
    for x in (pred, ref)
  )
  expected = mean64(colour.delta_E(*lab, method="CIE 2000")[..., None], weights)
  np.testing.assert_allclose(delta_e(pred, ref, weights=weights), expected, rtol=1e-4)


def luminance64(image):
  return np.float64(image) @ [0.2126, 0.7152, 0.0722]


@both
def test_light_bias_is_of_the_mean_luminance_in_stops(weights):
  pred, ref = pair()
  light = [mean64(luminance64(x)[..., None], weights) for x in (pred, ref)]
  np.testing.assert_allclose(
    light_bias(pred, ref, weights=weights), np.log2(light[0] / light[1]), atol=1e-5
  )
  np.testing.assert_allclose(light_bias(ref / 4, ref, weights=weights), -2, atol=1e-5)


def test_peak_bias_is_of_the_999th_of_1000_pixels():
  pred, ref = pair(shape=(2, 50, 60, 3))
  peaks = [np.sort(luminance64(x).reshape(2, -1))[:, 2997 - 1] for x in (pred, ref)]
  np.testing.assert_allclose(peak_bias(pred, ref), np.log2(peaks[0] / peaks[1]), atol=1e-5)
  np.testing.assert_allclose(peak_bias(2 * ref, ref), 1, atol=1e-5)
  small = pair()  # of 208 pixels the brightest
  brightest = np.log2(luminance64(small[0]).max((1, 2)) / luminance64(small[1]).max((1, 2)))
  np.testing.assert_allclose(peak_bias(*small), brightest, atol=1e-5)


def test_texture_is_of_neighbours_that_are_both_inside():
  rng = np.random.default_rng(2)
  pred, ref = (rng.uniform(0.5, 8.0, SHAPE).astype(np.float32) for _ in range(2))
  inside = np.ones((*SHAPE[:3], 1), np.float32)
  inside[0, :, 5:7] = inside[1, 3:9] = 0

  def mean_step(image, inside):
    stops = np.log2(luminance64(image))
    steps = []
    for (y, x), here in np.ndenumerate(inside[..., 0]):
      for neighbour in ((y + 1, x), (y, x + 1)):
        if here and neighbour[0] < SHAPE[1] and neighbour[1] < SHAPE[2] and inside[neighbour]:
          steps.append(abs(stops[neighbour] - stops[y, x]))
    return np.mean(steps)

  for weights in (inside, np.ones_like(inside)):
    wanted = [mean_step(pred[i], weights[i]) / mean_step(ref[i], weights[i]) for i in range(2)]
    np.testing.assert_allclose(texture(pred, ref, weights=weights), wanted, rtol=1e-5)
  np.testing.assert_allclose(texture(pred, ref), wanted, rtol=1e-5)
  np.testing.assert_allclose(texture(ref**2, ref**2 * 3, weights=inside), 1, rtol=1e-5)
  np.testing.assert_array_equal(texture(np.ones_like(ref), ref), 0)
  junk = np.where(inside > 0, pred, np.nan)
  np.testing.assert_array_equal(
    texture(junk, ref, weights=inside), texture(pred, ref, weights=inside)
  )


def test_texture_needs_neighbours_and_a_reference_that_is_not_flat():
  pred, ref = pair()
  ref[0] = 5.0
  alone = np.zeros((*SHAPE[:3], 1), np.float32)
  alone[:, 4, 4] = 1
  np.testing.assert_array_equal(np.isnan(texture(pred, ref)), [True, False])
  assert np.isnan(texture(pred, ref, weights=alone)).all()


def test_fidelity_is_in_codes_of_the_photo_where_it_is_well_exposed():
  rng = np.random.default_rng(4)
  ldr = rng.uniform(0, 1, SHAPE).astype(np.float32)
  ldr[1, :7], ldr[1, 7:9] = 1.0, 0.05
  pred, ref = colour.models.eotf_sRGB(np.float64(ldr)), ldr.astype(np.float64)
  pred *= rng.uniform(0.9, 1.3, SHAPE)
  shown = colour.models.eotf_inverse_sRGB(np.clip(pred, 0, 1))
  peak = ref.max(-1)
  wanted = []
  for i in range(2):
    inside = (peak[i] < 253.5 / 255) & (peak[i] > 25.5 / 255)
    codes = 255 * np.abs(shown[i] - ref[i])[inside]
    rank = -(-99 * codes.size // 100)
    wanted.append((codes.mean(), np.sort(codes.ravel())[rank - 1]))
  pred = pred.astype(np.float32)
  got = fidelity(pred, ldr)
  np.testing.assert_allclose(np.stack(got, -1), wanted, rtol=1e-4)
  alone = metrics.fidelity(pred[1], ldr[1])
  np.testing.assert_allclose(alone, wanted[1], rtol=1e-4)
  kept = fidelity(colour.models.eotf_sRGB(np.float64(ldr)).astype(np.float32), ldr)
  np.testing.assert_allclose(kept, 0, atol=1e-3)
  nothing = fidelity(pred, np.ones_like(ldr))
  assert np.isnan(nothing).all()


def test_known_psnr():
  ref = np.zeros((4, 4, 3), np.float32)
  np.testing.assert_allclose(metrics.psnr(ref + 0.1, ref, peak=1.0), 20.0, atol=1e-4)


@every_metric
def test_identical_images(name):
  metric, best = METRICS[name]
  ref = pair()[1]
  got = metric(ref, ref)
  assert (got > 120).all() if np.isinf(best) else np.allclose(got, best, atol=1e-6)
  black = np.zeros_like(ref)
  assert not np.isnan(metric(black, black)).any()
  assert np.isfinite(metric(ref, black)).all()


@every_metric
def test_an_image_without_the_region_gets_nan(name):
  pred, ref = pair()
  nothing = region()
  nothing[0] = 0
  got = METRICS[name][0](pred, ref, weights=nothing)
  assert np.isnan(got[0]) and np.isfinite(got[1])


@every_metric
def test_an_image_alone_equals_one_of_a_batch(name):
  pred, ref = pair()
  metric = METRICS[name][0]
  many, single = metric(pred, ref), metric(pred[1], ref[1])
  assert many.shape == (2,) and single.shape == ()
  np.testing.assert_allclose(single, many[1], rtol=1e-6)


@pytest.mark.parametrize("name", ["psnr_mu_headroom", "pu21_psnr", "delta_e_2000", "light_bias"])
@pytest.mark.parametrize("junk", [9.0, np.nan])
def test_pixels_of_weight_zero_may_hold_anything(name, junk):
  def pad(x, value):
    return np.pad(x, ((0, 0), (0, 4), (0, 3), (0, 0)), constant_values=value)

  pred, ref = pair()
  metric = METRICS[name][0]
  got = metric(pad(pred, junk), pad(ref, 2 * junk), weights=pad(region(), 0))
  np.testing.assert_allclose(got, metric(pred, ref, weights=region()), rtol=1e-6)


@every_metric
def test_mismatched_shapes_are_refused(name):
  pred, ref = pair()
  with pytest.raises(AssertionError):
    METRICS[name][0](pred[:1], ref)
  with pytest.raises(AssertionError):
    METRICS[name][0](pred, ref, weights=region()[..., 0])
