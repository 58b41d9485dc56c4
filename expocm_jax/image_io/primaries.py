"""RGB primaries: from any set to linear BT.709, D65 white."""

import numpy as np

# CIE xy of red, green, blue and white, in the order of OpenEXR's chromaticities.
BT709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
XYZ = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3)

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


def to_bt709(chromaticities: tuple[float, ...]) -> np.ndarray | None:
  """[3, 3] float64 that takes linear RGB of these primaries to BT.709; None if they are it.

  Another white point is adapted (Bradford), so grey stays grey. CIE XYZ itself as
  "primaries" is colorimetric and is not adapted: its white stands for no illuminant.
  """
  if np.allclose(chromaticities, BT709, atol=1e-3):
    return None
  source, target = rgb_to_xyz(chromaticities), rgb_to_xyz(BT709)
  if not np.allclose(chromaticities, XYZ, atol=1e-3):
    cones_in = _BRADFORD @ source.sum(axis=1)
    cones_out = _BRADFORD @ target.sum(axis=1)
    source = np.linalg.inv(_BRADFORD) @ np.diag(cones_out / cones_in) @ _BRADFORD @ source
  return np.linalg.inv(target) @ source


def convert(pixels: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
  """Applies a matrix of `to_bt709` to [H, W, 3] float32."""
  return pixels if matrix is None else pixels @ matrix.T.astype(np.float32)
