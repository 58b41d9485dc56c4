"""Primaries, luminance and the sRGB curve, against colour-science in float64."""

import colour
import numpy as np
import pytest

from expocm_jax import colorimetry

BT709 = colour.RGB_COLOURSPACES["ITU-R BT.709"]


def chromaticities(space):
  return (*space.primaries.ravel().tolist(), *space.whitepoint.tolist())


@pytest.mark.parametrize("name", ["ITU-R BT.709", "ITU-R BT.2020", "ACES2065-1", "ACEScg"])
def test_rgb_to_xyz(name):
  space = colour.RGB_COLOURSPACES[name]
  expected = colour.normalised_primary_matrix(space.primaries, space.whitepoint)
  matrix = colorimetry.rgb_to_xyz(chromaticities(space))
  np.testing.assert_allclose(matrix, expected, atol=1e-12)
  assert matrix[1].sum() == pytest.approx(1, abs=1e-12)


def test_the_constants_of_bt709():
  assert colorimetry.BT709 == chromaticities(BT709)
  expected = colour.normalised_primary_matrix(BT709.primaries, BT709.whitepoint)
  np.testing.assert_allclose(colorimetry.BT709_TO_XYZ, expected, atol=1e-12)
  np.testing.assert_allclose(colorimetry.XYZ_TO_BT709 @ expected, np.eye(3), atol=1e-12)
  np.testing.assert_allclose(colorimetry.LUMA, expected[1], atol=5e-5)  # printed in four digits
  assert sum(colorimetry.LUMA) == pytest.approx(1, abs=1e-12)
  assert 253 / 255 < colorimetry.CLIPPED < 254 / 255


@pytest.mark.parametrize(
  "wrong",
  [
    (0.0,) * 8,
    (0.64, 0.33, 0.64, 0.33, 0.15, 0.06, 0.3127, 0.3290),  # two primaries are one
    (0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.3127, 0.3290),  # on a line
    (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.0),  # white without luminance
    (np.nan, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),
  ],
)
def test_impossible_primaries_are_refused(wrong):
  for function in (colorimetry.rgb_to_xyz, colorimetry.to_bt709):
    with pytest.raises(ValueError, match="impossible chromaticities"):
      function(wrong)


@pytest.mark.parametrize(
  "name", ["ITU-R BT.2020", "ACES2065-1", "ACEScg", "DCI-P3", "ProPhoto RGB"]
)
def test_to_bt709(name):
  space = colour.RGB_COLOURSPACES[name]
  matrix = colorimetry.to_bt709(chromaticities(space))
  adaptation = colour.adaptation.matrix_chromatic_adaptation_VonKries(
    colour.xy_to_XYZ(space.whitepoint), colour.xy_to_XYZ(BT709.whitepoint), transform="Bradford"
  )
  source = colour.normalised_primary_matrix(space.primaries, space.whitepoint)
  target = colour.normalised_primary_matrix(BT709.primaries, BT709.whitepoint)
  np.testing.assert_allclose(matrix, np.linalg.inv(target) @ adaptation @ source, atol=1e-9)
  np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-12)  # white stays white, grey grey


def test_bt709_needs_no_matrix_and_xyz_is_not_adapted():
  assert colorimetry.to_bt709(colorimetry.BT709) is None
  assert colorimetry.to_bt709(np.add(colorimetry.BT709, 5e-4)) is None  # as files round them
  np.testing.assert_allclose(
    colorimetry.to_bt709(colorimetry.XYZ), colorimetry.XYZ_TO_BT709, atol=1e-12
  )


def test_convert():
  pixels = np.random.default_rng(0).random((4, 5, 3), np.float32)
  assert colorimetry.convert(pixels, None) is pixels
  matrix = colorimetry.to_bt709(chromaticities(colour.RGB_COLOURSPACES["ACEScg"]))
  converted = colorimetry.convert(pixels, matrix)
  assert converted.dtype == np.float32
  expected = np.einsum("ij,hwj->hwi", matrix, pixels.astype(np.float64))
  np.testing.assert_allclose(converted, expected, atol=1e-6)


def test_srgb_to_linear():
  x = np.linspace(0, 1, 1001)
  expected = colour.cctf_decoding(x, function="sRGB")
  np.testing.assert_allclose(colorimetry.srgb_to_linear(x), expected, atol=1e-12)
  assert colorimetry.srgb_to_linear(np.float64(0)) == 0
  assert colorimetry.srgb_to_linear(np.float64(1)) == pytest.approx(1, abs=1e-12)
  assert (np.diff(colorimetry.srgb_to_linear(x)) > 0).all()
