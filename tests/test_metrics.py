import colour
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax import metrics

BT709 = colour.models.RGB_COLOURSPACE_BT709
# Compiled once a shape, which is faster than one operation after the other.
psnr_mu = jax.jit(metrics.psnr_mu)
delta_e_mean = jax.jit(metrics.delta_e_mean)
TO_XYZ = colour.normalised_primary_matrix(BT709.primaries, BT709.whitepoint)


def pair(seed=0, shape=(2, 6, 5, 3)):
  """A reference with values beyond the headroom, and a prediction with negative ones."""
  rng = np.random.default_rng(seed)
  ref = rng.gamma(0.5, 4.0, shape)
  pred = ref * rng.uniform(0.7, 1.3, shape) - 0.01
  return pred.astype(np.float32), ref.astype(np.float32)


def region(seed=1, shape=(2, 6, 5, 1)):
  return np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32)


def mu_law64(x, mu=5000.0):
  return np.log1p(mu * np.clip(np.float64(x), 0, 1)) / np.log1p(mu)


def psnr64(pred, ref, peak, weights=None):
  weights = np.ones_like(ref[..., :1]) if weights is None else weights
  return np.array(
    [
      10 * np.log10(peak**2 / np.average((p - r) ** 2, weights=np.repeat(w, 3, axis=-1)))
      for p, r, w in zip(np.float64(pred), np.float64(ref), np.float64(weights))
    ]
  )


@pytest.mark.parametrize("weights", [None, region()], ids=["all", "region"])
def test_psnr_matches_numpy(weights):
  pred, ref = pair()
  got = metrics.psnr(pred, ref, peak=256.0, weights=weights)
  assert got.dtype == jnp.float32
  np.testing.assert_allclose(got, psnr64(pred, ref, 256.0, weights), atol=1e-4)


@pytest.mark.parametrize("weights", [None, region()], ids=["all", "region"])
def test_psnr_mu_is_psnr_of_the_clipped_mu_law(weights):
  pred, ref = pair()
  for headroom, mu in ((16.0, 5000.0), (4.0, 500.0)):
    expected = psnr64(mu_law64(pred / headroom, mu), mu_law64(ref / headroom, mu), 1.0, weights)
    got = psnr_mu(pred, ref, headroom=headroom, mu=mu, weights=weights)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_known_psnr():
  ref = np.zeros((4, 4, 3), np.float32)
  np.testing.assert_allclose(metrics.psnr(ref + 0.1, ref, peak=1.0), 20.0, atol=1e-4)


def test_a_binary_region_sees_nothing_else():
  pred, ref = pair()
  inside = np.zeros((2, 6, 5, 1), np.float32)
  inside[:, :3] = 1
  spoiled = np.where(inside > 0, pred, pred + 9).astype(np.float32)
  for metric in (psnr_mu, delta_e_mean):
    np.testing.assert_array_equal(
      metric(pred, ref, weights=inside), metric(spoiled, ref, weights=inside)
    )
  np.testing.assert_allclose(
    psnr_mu(pred, ref, weights=inside), psnr_mu(pred[:, :3], ref[:, :3]), rtol=1e-6
  )


@pytest.mark.parametrize("scale", [1.0, 300.0])
@pytest.mark.parametrize("weights", [None, region()], ids=["all", "region"])
def test_delta_e_mean_matches_colour_in_any_unit(scale, weights):
  pred, ref = pair()
  lab = []
  for image in (pred, ref):
    display = mu_law64(np.float64(image) / ref.max(axis=(1, 2, 3), keepdims=True))
    xyz = colour.models.eotf_sRGB(display) @ TO_XYZ.T
    lab.append(colour.XYZ_to_Lab(xyz, BT709.whitepoint))
  difference = colour.delta_E(*lab, method="CIE 2000")
  wide = np.ones_like(difference) if weights is None else np.float64(weights[..., 0])
  expected = (difference * wide).sum((1, 2)) / wide.sum((1, 2))
  got = delta_e_mean(np.float32(scale) * pred, np.float32(scale) * ref, weights=weights)
  np.testing.assert_allclose(got, expected, rtol=1e-4)


def test_extremes_identical_empty_region_and_black():
  _, ref = pair()
  black = np.zeros_like(ref)
  assert np.isposinf(metrics.psnr(ref, ref, peak=1.0)).all()
  assert (psnr_mu(ref, ref) > 120).all()
  np.testing.assert_array_equal(delta_e_mean(ref, ref), [0, 0])
  np.testing.assert_array_equal(delta_e_mean(black, black), [0, 0])
  assert np.isfinite(delta_e_mean(ref, black)).all()
  nothing = region()
  nothing[0] = 0
  for metric in (psnr_mu, delta_e_mean):
    got = metric(ref + 1, ref, weights=nothing)
    assert np.isnan(got[0]) and np.isfinite(got[1])


def test_batched_equals_unbatched():
  pred, ref = pair()
  for metric in (psnr_mu, delta_e_mean):
    batched, single = metric(pred, ref), metric(pred[1], ref[1])
    assert batched.shape == (2,) and single.shape == ()
    np.testing.assert_allclose(batched[1], single, rtol=1e-5)


def test_mismatched_shapes_are_refused():
  pred, ref = pair()
  with pytest.raises(AssertionError):
    metrics.psnr(pred[:1], ref, peak=1.0)
  with pytest.raises(AssertionError):
    psnr_mu(pred, ref, weights=region()[..., 0])
