"""Colorimetry of linear BT.709, D65, and of sRGB: the numbers and curves that every room shares.

Numpy, on the host; `ops.color` has the same curves for devices.
"""

import numpy as np

# CIE xy of red, green, blue and white, in the order of OpenEXR's chromaticities.
BT709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
XYZ = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3)

LUMA = (0.2126, 0.7152, 0.0722)  # of R, G, B in luminance Y: BT.709, and the paper's masks
CLIPPED = 253.5 / 255.0  # a photo has lost what its largest channel shows above: 254 or 255 of 255

_BRADFORD = np.array(
  [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def rgb_to_xyz(chromaticities: tuple[float, ...]) -> np.ndarray:
  """[3, 3] float64, RGB -> XYZ with Y = 1 at RGB = 1 (SMPTE RP 177); row 1 weighs luminance.

  Raises:
    ValueError: the primaries lie on a line, or white has no luminance.
  """
  xy = np.asarray(chromaticities, np.float64).reshape(4, 2)
  xyz = np.concatenate([xy, 1 - xy.sum(axis=1, keepdims=True)], axis=1).T
  if not np.isfinite(xyz).all() or abs(np.linalg.det(xyz[:, :3])) < 1e-6 or xyz[1, 3] < 1e-6:
    raise ValueError(f"impossible chromaticities {tuple(chromaticities)}")
  white = xyz[:, 3] / xyz[1, 3]
  return xyz[:, :3] * np.linalg.solve(xyz[:, :3], white)


# Unrounded, so that the rows sum to the white and neutral colours have no chroma.
BT709_TO_XYZ = rgb_to_xyz(BT709)
XYZ_TO_BT709 = np.linalg.inv(BT709_TO_XYZ)


def to_bt709(chromaticities: tuple[float, ...]) -> np.ndarray | None:
  """[3, 3] float64 that takes linear RGB of these primaries to BT.709; None if they are it.

  Another white point is adapted (Bradford), so grey stays grey. CIE XYZ itself as
  "primaries" is colorimetric and is not adapted: its white stands for no illuminant.
  """
  if np.allclose(chromaticities, BT709, atol=1e-3):
    return None
  source = rgb_to_xyz(chromaticities)
  if not np.allclose(chromaticities, XYZ, atol=1e-3):
    cones_in = _BRADFORD @ source.sum(axis=1)
    cones_out = _BRADFORD @ BT709_TO_XYZ.sum(axis=1)
    source = np.linalg.inv(_BRADFORD) @ np.diag(cones_out / cones_in) @ _BRADFORD @ source
  return XYZ_TO_BT709 @ source


def convert(pixels: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
  """Applies a matrix of `to_bt709` to [H, W, 3] float32."""
  return pixels if matrix is None else pixels @ matrix.T.astype(np.float32)


def srgb_to_linear(x: np.ndarray) -> np.ndarray:
  """Display-referred sRGB [...] in [0, 1] to linear light in [0, 1]; IEC 61966-2-1."""
  return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(x: np.ndarray) -> np.ndarray:
  """Linear light [...] in [0, 1] to display-referred sRGB in [0, 1]; IEC 61966-2-1."""
  power = np.power(np.maximum(x, 0.0031308), np.float32(1 / 2.4))
  return np.where(x <= 0.0031308, 12.92 * x, 1.0 - 1.055 * (1.0 - power))  # exactly 1 at 1
