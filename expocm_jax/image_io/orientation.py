"""EXIF/TIFF orientation."""

import numpy as np


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
  """Turns [H, W, ...] as stored into the picture as seen (EXIF tag 274, values 1 to 8).

  Any other value means nothing and leaves the picture as it is.
  """
  if orientation in (5, 6, 7, 8):
    pixels = pixels.swapaxes(0, 1)
  if orientation in (3, 4, 7, 8):
    pixels = pixels[::-1]
  if orientation in (2, 3, 6, 7):
    pixels = pixels[:, ::-1]
  return pixels
