"""EXIF/TIFF orientation."""

import numpy as np


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
  """Turns [H, W, ...] as stored into the picture as seen (EXIF tag 274, values 1 to 8).

  Any other value means nothing and leaves the picture as it is.
  """
  match orientation:
    case 2:
      return pixels[:, ::-1]
    case 3:
      return pixels[::-1, ::-1]
    case 4:
      return pixels[::-1]
    case 5:
      return pixels.swapaxes(0, 1)
    case 6:
      return pixels.swapaxes(0, 1)[:, ::-1]
    case 7:
      return pixels.swapaxes(0, 1)[::-1, ::-1]
    case 8:
      return pixels.swapaxes(0, 1)[::-1]
  return pixels
