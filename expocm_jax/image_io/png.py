"""8-bit PNG out: previews, masks, sheets."""

import os

import numpy as np

from expocm_jax.errors import UserError
from expocm_jax.image_io.atomic import atomic_path


def write_png(path: str | os.PathLike, image: np.ndarray) -> None:
  """Writes an 8-bit PNG, atomically.

  Args:
    path: the file, by habit .png.
    image: [H, W, 3] or grey [H, W] (or [H, W, 1]); uint8 as it is, or floats in [0, 1],
      clipped and rounded to the nearest of 256 levels.

  Raises:
    UserError: NaN in the image, or the file cannot be written.
    ValueError: another shape or type.
  """
  from PIL import Image

  image = np.asarray(image)
  if image.ndim == 3 and image.shape[-1] == 1:
    image = image[..., 0]
  if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[-1] != 3) or not image.size:
    raise ValueError(f"image must be [H, W, 3] or [H, W], got {image.shape}")
  if np.issubdtype(image.dtype, np.floating):
    if np.isnan(image).any():
      raise UserError(f"{path}: the image to write holds NaN; check its source")
    image = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
  elif image.dtype != np.uint8:
    raise ValueError(f"image must be uint8 or float in [0, 1], got {image.dtype}")
  with atomic_path(path) as temp, open(temp, "wb") as file:
    Image.fromarray(np.ascontiguousarray(image)).save(file, "PNG")
