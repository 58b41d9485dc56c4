import colour
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.ops import color

BT709 = colour.models.RGB_COLOURSPACE_BT709
D65 = BT709.whitepoint
# Unrounded, unlike colour's default: the rounded matrices give neutral colours a chroma.
TO_XYZ = colour.normalised_primary_matrix(BT709.primaries, D65)

# Black, white, greys, primaries, near black, out of gamut on both sides.
EDGES = np.array(
  [
    [0, 0, 0],
    [1, 1, 1],
    [0.5, 0.5, 0.5],
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
    [1e-6, 0, 0],
    [0.04045, 0.0031308, 0.5],
    [-0.2, 0.5, 1.3],
    [-1, -1, -1],
    [16, 2, 0.1],
    [-1e-3, 40, -5],
  ],
  np.float32,
)

# L1 a1 b1, L2 a2 b2, dE00: Sharma, Wu, Dalal 2005, table 1.
SHARMA = np.array(
  [
    [50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425],
    [50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615],
    [50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412],
    [50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000],
    [50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000],
    [50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000],
    [50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669],
    [50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669],
    [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792],
    [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792],
    [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195],
    [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195],
    [50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045],
    [50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045],
    [50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461],
    [50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065],
    [50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492],
    [50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977],
    [50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030],
    [50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535],
    [50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000],
    [50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000],
    [50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000],
    [50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000],
    [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
    [63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630],
    [61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731],
    [35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645],
    [22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373],
    [36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146],
    [90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441],
    [90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381],
    [6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377],
    [2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082],
  ]
)

# Compiled once a shape, which is faster than one operation after the other.
linear_to_lab, srgb_to_lab, delta_e_2000, srgb_to_linear, linear_to_srgb = (
  jax.jit(function)
  for function in (
    color.linear_to_lab,
    color.srgb_to_lab,
    color.delta_e_2000,
    color.srgb_to_linear,
    color.linear_to_srgb,
  )
)


def random_rgb(seed=0, shape=(200, 3)):
  return np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32)


def reference_lab(linear):
  return colour.XYZ_to_Lab(np.float64(linear) @ TO_XYZ.T, D65)


def test_luminance_weighs_the_channels_and_keeps_the_axis():
  rgb = random_rgb(shape=(2, 4, 5, 3))
  expected = np.float64(rgb) @ [0.2126, 0.7152, 0.0722]
  np.testing.assert_allclose(color.luminance(rgb), expected[..., None], rtol=1e-6)


def test_transfer_curves_match_colour_and_are_odd():
  x = np.concatenate([random_rgb(), EDGES[:8]])
  np.testing.assert_allclose(
    srgb_to_linear(x), colour.models.eotf_sRGB(np.float64(x)), rtol=3e-6, atol=1e-8
  )
  np.testing.assert_allclose(
    linear_to_srgb(x), colour.models.eotf_inverse_sRGB(np.float64(x)), rtol=3e-6, atol=1e-8
  )
  for curve in (srgb_to_linear, linear_to_srgb):
    np.testing.assert_array_equal(curve(-x), -curve(x))


def test_srgb_round_trip_inside_and_outside_the_gamut():
  x = np.concatenate([random_rgb(), EDGES])
  back = linear_to_srgb(srgb_to_linear(x))
  np.testing.assert_allclose(back, x, rtol=2e-6, atol=1e-7)


def test_xyz_and_lab_match_colour():
  rgb = np.concatenate([random_rgb(), EDGES[:8], [[16, 2, 0.1]]]).astype(np.float32)
  np.testing.assert_allclose(color.linear_to_xyz(rgb), np.float64(rgb) @ TO_XYZ.T, rtol=1e-6)
  np.testing.assert_allclose(linear_to_lab(rgb), reference_lab(rgb), atol=2e-4)
  np.testing.assert_allclose(
    srgb_to_lab(rgb), reference_lab(colour.models.eotf_sRGB(np.float64(rgb))), atol=3e-4, rtol=2e-6
  )


def test_xyz_comes_back():
  back = color.xyz_to_linear(color.linear_to_xyz(np.eye(3, dtype=np.float32)))
  np.testing.assert_allclose(back, np.eye(3), atol=1e-6)


def test_neutral_colours_have_no_chroma_and_white_has_lightness_100():
  grey = np.repeat(np.float32([[0.0], [1e-4], [0.18], [1.0], [16.0]]), 3, axis=1)
  lab = linear_to_lab(grey)
  np.testing.assert_allclose(color.chroma(lab), 0, atol=2e-4)
  np.testing.assert_allclose(lab[3, 0], 100, atol=1e-4)


def test_chroma_is_the_length_of_a_and_b():
  lab = np.float32([[50, 3, -4], [0, 0, 0]])
  np.testing.assert_allclose(color.chroma(lab), [[5], [0]], rtol=1e-6)


def test_delta_e_matches_sharmas_table_in_both_orders():
  pairs = SHARMA.astype(np.float32)
  for first, second in ((pairs[:, :3], pairs[:, 3:6]), (pairs[:, 3:6], pairs[:, :3])):
    np.testing.assert_allclose(np.ravel(delta_e_2000(first, second)), SHARMA[:, 6], atol=1.5e-4)


def test_delta_e_matches_colour_on_random_colours():
  rng = np.random.default_rng(1)
  lab1, lab2 = (rng.uniform([0, -100, -100], [100, 100, 100], (500, 3)) for _ in range(2))
  expected = colour.delta_E(lab1, lab2, method="CIE 2000")
  got = delta_e_2000(np.float32(lab1), np.float32(lab2))
  np.testing.assert_allclose(np.ravel(got), expected, rtol=2e-5, atol=1e-4)


@pytest.mark.parametrize(
  "function",
  [
    color.luminance,
    color.srgb_to_linear,
    color.linear_to_srgb,
    color.linear_to_lab,
    color.srgb_to_lab,
    lambda x: color.chroma(color.linear_to_lab(x)),
    color.chroma,
  ],
  ids=[
    "luminance",
    "srgb_to_linear",
    "linear_to_srgb",
    "linear_to_lab",
    "srgb_to_lab",
    "chroma_of_rgb",
    "chroma",
  ],
)
def test_gradients_are_finite_and_dtype_is_kept(function):
  assert jax.eval_shape(function, EDGES).dtype == jnp.float32
  assert np.isfinite(jax.jit(jax.grad(lambda x: function(x).sum()))(EDGES)).all()


def test_gradients_at_black_are_those_of_the_linear_toe():
  black = np.zeros(3, np.float32)
  slope = jax.jit(jax.grad(lambda x: color.srgb_to_linear(x).sum()))(black)
  np.testing.assert_allclose(slope, 1 / 12.92, rtol=1e-6)
  slope = jax.jit(jax.grad(lambda x: color.linear_to_lab(x)[0]))(black)
  np.testing.assert_allclose(slope, TO_XYZ[1] * 24389 / 27, rtol=1e-5)


def test_delta_e_gradients_are_finite_for_all_pairs_of_edge_colours():
  lab = np.asarray(linear_to_lab(EDGES))
  n = len(lab)
  first, second = np.repeat(lab, n, axis=0), np.tile(lab, (n, 1))  # identical ones included
  gradients = jax.jit(jax.grad(lambda a, b: color.delta_e_2000(a, b).sum(), argnums=(0, 1)))(
    first, second
  )
  assert np.isfinite(gradients).all()
  same = delta_e_2000(lab, lab)
  np.testing.assert_array_equal(same, np.zeros((n, 1)))


def test_delta_e_gradient_matches_finite_differences():
  lab1, lab2 = np.array([60.0, 20.0, -30.0]), np.array([55.0, -10.0, 25.0])
  gradient = jax.jit(jax.grad(lambda x: color.delta_e_2000(x, np.float32(lab2)).sum()))(
    np.float32(lab1)
  )
  for i, step in enumerate(np.eye(3) * 1e-4):
    rise = colour.delta_E(lab1 + step, lab2) - colour.delta_E(lab1 - step, lab2)
    np.testing.assert_allclose(gradient[i], rise / 2e-4, rtol=1e-3)


@pytest.mark.parametrize("bad", [np.zeros((4, 4, 1), np.float32), np.zeros((4, 3), np.uint8)])
def test_wrong_channels_and_integers_are_refused(bad):
  for function in (color.luminance, color.srgb_to_linear, color.linear_to_lab, color.chroma):
    with pytest.raises(AssertionError):
      function(bad)
