import colour
import jax
import numpy as np
import pytest

from expocm_jax.evaluation.crf_correction import correct_response

pytestmark = pytest.mark.usefixtures("quick_compiles")
BT709 = colour.models.RGB_COLOURSPACE_BT709
correct = jax.jit(correct_response)


def scene(seed=0, shape=(2, 24, 31)):
  """Coloured gradients over four decades, [B, H, W, 3]."""
  rng = np.random.default_rng(seed)
  level = 10 ** rng.uniform(-3, 1, (*shape, 1))
  tint = 0.3 + 0.7 * rng.uniform(0, 1, (*shape, 3))
  return (level * tint).astype(np.float32)


def relative_error(pred, ref):
  """Median over values of |pred / ref - 1|."""
  return np.median(np.abs(np.float64(pred) / ref - 1))


def reference_fit(pred, ref):
  """The correction in float64 with numpy's least squares, for one image."""
  matrix = colour.normalised_primary_matrix(BT709.primaries, BT709.whitepoint)
  # The lower of the two middle values, of all values of all channels.
  scales = [500 / np.sort(np.float64(x), axis=None)[(x.size - 1) // 2] for x in (pred, ref)]
  nits = [np.maximum(x * s, 0.005) for x, s in zip((pred, ref), scales, strict=True)]
  xyz = [x.reshape(-1, 3) @ matrix.T for x in nits]
  (px, py), (rx, ry) = (
    (
      410 / 255 * colour.xy_to_Luv_uv(colour.XYZ_to_xy(x)),
      colour.models.eotf_inverse_ST2084(x[:, 1]),
    )
    for x in xyz
  )
  code = np.polyval(np.polyfit(py, ry, 3), py)
  luminance = colour.models.eotf_ST2084(np.maximum(code, 0.0150763990))
  u, v = px.T
  terms = np.stack([u**3, v**3, u**2, v**2, u * v, u, v, np.ones_like(u)], axis=1)
  target = np.zeros((8, 2))
  target[5, 0] = target[6, 1] = 1
  ridge = 0.01 * len(u) / 8
  uv = terms @ np.linalg.solve(terms.T @ terms + ridge * np.eye(8), terms.T @ rx + ridge * target)
  xy = colour.Luv_uv_to_xy(uv * 255 / 410)
  xyz = colour.xyY_to_XYZ(np.concatenate([xy, luminance[:, None]], axis=1))
  return np.maximum(xyz @ np.linalg.inv(matrix).T, 0).reshape(ref.shape) / scales[1]


def test_matches_a_float64_fit():
  ref = scene()
  pred = (0.5 * ref**1.2 * np.float32([1.1, 1.0, 0.8])).astype(np.float32)
  got = np.asarray(correct(pred, ref))
  for index in range(2):
    wanted = reference_fit(pred[index], ref[index])
    np.testing.assert_allclose(got[index], wanted, rtol=2e-3, atol=2e-5)


def gamma(image):
  return image**1.4


def s_curve(image):
  x = image / image.max()
  return x**1.3 / (x**1.3 + 0.2) * 1.2 * image.max()


def warm(image):
  return image * np.float32([1.25, 1.0, 0.75])


@pytest.mark.parametrize("distort", [gamma, s_curve, warm])
def test_a_distorted_response_is_undone(distort):
  ref = scene()
  level = ref[..., 1:2]
  pred = (ref / level * distort(level) if distort is not warm else distort(ref)).astype(np.float32)
  before, after = relative_error(pred, ref), relative_error(correct(pred, ref), ref)
  assert before > 0.1 and after < 0.1 * before, (before, after)


def test_a_perfect_prediction_comes_back():
  ref = scene()
  np.testing.assert_allclose(correct(ref, ref), ref, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("factor", [1 / 64, 64])
def test_a_pure_scale_is_undone(factor):
  ref = scene()
  got = correct(np.float32(factor) * ref, ref)
  np.testing.assert_allclose(got, ref, rtol=3e-4, atol=1e-6)


def test_an_image_that_is_mostly_black_is_scaled_by_what_is_not():
  ref = scene()
  ref[:, :, :20] = 0
  got = np.asarray(correct(0.1 * ref, ref))
  np.testing.assert_allclose(got[:, :, 20:], ref[:, :, 20:], rtol=3e-4, atol=1e-6)
  assert got[:, :, :20].max() < 1e-4 * np.median(ref[:, :, 20:])


def test_grey_flat_and_black_images_stay_sane():
  ref = scene()
  grey = np.repeat(ref[..., :1], 3, axis=-1)
  np.testing.assert_allclose(correct(grey, grey), grey, rtol=2e-4, atol=1e-6)
  flat, black = np.full_like(ref, 0.2), np.zeros_like(ref)
  np.testing.assert_allclose(correct(2 * flat, flat), flat, rtol=1e-3)
  two = np.where(np.arange(31)[:, None] < 15, 0.1, 3.0) * np.ones_like(ref)
  np.testing.assert_allclose(correct(two.astype(np.float32) * 0.7, two), two, rtol=1e-3)
  for pred, target in ((black, ref), (ref, black), (black, black), (flat, ref), (1e-15 * ref, ref)):
    got = correct(pred, target)
    assert np.isfinite(got).all() and (got >= 0).all()


def test_images_of_a_batch_are_independent():
  ref, pred = scene(), gamma(scene())
  mapped = jax.jit(jax.vmap(correct_response))(pred, ref)
  np.testing.assert_allclose(mapped, correct(pred, ref), rtol=1e-4, atol=1e-6)
