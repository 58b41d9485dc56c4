"""Photos on the host: the arrays that are accepted, and what is taken of a photo before tiling.

Images here may be too large for a device; they are converted in bands of rows.
"""

from collections.abc import Iterator

import numpy as np

from expocm_jax.method.expocm import Method
from expocm_jax.method.masks import ExposureLevels
from expocm_jax.network import conditioning
from expocm_jax.network.conditioning import PhotoContext
from expocm_jax.ops import color

BAND = 2**20  # pixels; converted and counted, each takes some 60 bytes


def measure(
  ldr: np.ndarray, method: Method, *, band: int = BAND
) -> tuple[ExposureLevels, PhotoContext]:
  """What the tiles of a photo [H, W, 3] that is `checked` need to know of it, as a batch of one.

  It is what `masks.exposure_levels` and `Method.condition` give, but beside the photo and `band`
  pixels of it only its luminance takes memory.
  """
  luminance = np.empty(ldr.shape[:2], np.float32)
  for rows in bands(ldr, band):
    luminance[rows] = color.luminance(as_float(ldr[rows]))[..., 0]
  low, high = np.percentile(luminance, [method.q_lo, method.q_hi], overwrite_input=True)
  levels = (np.full((1, 1, 1, 1), level, np.float32) for level in (low, high))
  codes = 2**8 if ldr.dtype == np.uint8 else 2**16
  y = np.asarray(conditioning.values_of_codes(method.encode_ldr, codes))
  tone, cells = conditioning.photo_statistics(
    (_codes(ldr[rows]) for rows in bands(ldr, band)),
    ldr.shape[:2],
    y,
    bins=method.network.tone_bins,
    cells=method.network.tone_cells,
  )
  centres = map(conditioning.pixel_centres, ldr.shape[:2])
  return ExposureLevels(*levels), PhotoContext(tone[None], cells[None], y[-1], *centres)


def _codes(ldr: np.ndarray) -> np.ndarray:
  """The codes of a checked image, those of 16 bits for floats."""
  if np.issubdtype(ldr.dtype, np.integer):
    return ldr
  return np.rint(as_float(ldr) * (2**16 - 1)).astype(np.uint16)


def bands(ldr: np.ndarray, pixels: int = BAND) -> Iterator[slice]:
  """Slices of rows that hold about so many pixels."""
  step = max(1, pixels // ldr.shape[1])
  return (slice(first, first + step) for first in range(0, ldr.shape[0], step))


def checked(ldr: np.ndarray) -> np.ndarray:
  """The array if it is an image that can be reconstructed; ValueError if it is not."""
  ldr = np.asarray(ldr)
  if ldr.ndim != 3 or ldr.shape[-1] != 3 or 0 in ldr.shape:
    raise ValueError(
      f"expected an image [H, W, 3], got shape {list(ldr.shape)}; "
      "repeat a grey image on three channels, drop alpha"
    )
  if ldr.dtype in (np.uint8, np.uint16):
    return ldr
  if not np.issubdtype(ldr.dtype, np.floating):
    raise ValueError(f"expected floats in [0, 1], uint8 or uint16, got {ldr.dtype}")
  low, high = ldr.min(), ldr.max()
  if not (low >= 0 and high <= 1):  # false for NaN too
    raise ValueError(
      f"expected floats in [0, 1], got values from {low} to {high}; "
      "scale the image, 8-bit values by 1/255"
    )
  return ldr


def as_float(ldr: np.ndarray) -> np.ndarray:
  """Float32 in [0, 1] of a checked image or a part of one."""
  if np.issubdtype(ldr.dtype, np.integer):
    return ldr.astype(np.float32) / np.float32(np.iinfo(ldr.dtype).max)
  return ldr.astype(np.float32)
