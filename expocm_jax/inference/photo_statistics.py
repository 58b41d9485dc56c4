"""Photos on the host: the arrays that are accepted, and what is taken of a whole photo at once.

Images here may be too large for a device; they are converted in bands of rows.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jax import Array

from expocm_jax.method.expocm import Method
from expocm_jax.method.masks import ExposureLevels
from expocm_jax.network.tone_curve import assemble, hat_weights
from expocm_jax.network.tone_grid import KNOTS, NEIGHBOURHOODS, cell_weights, level_weight
from expocm_jax.ops import color

BAND = 2**20  # pixels; converted and counted, each takes some 60 bytes


class PhotoStatistics(NamedTuple):
  """What tiles need to know of the photo they are cut from."""

  levels: ExposureLevels  # [1, 1, 1, 1] each
  tone: Array  # [1, 6, bins]
  cells: Array  # [1, n, n, 3 * knots]


def statistics(ldr: np.ndarray, method: Method, *, band: int = BAND) -> PhotoStatistics:
  """The statistics of a photo [H, W, 3] that is `checked`.

  They are those of `masks.exposure_levels` and `Method.condition`, but beside the photo and `band`
  pixels of it only its luminance takes memory.
  """
  return PhotoStatistics(
    _levels(ldr, method, band), _tone(ldr, method, band), _cells(ldr, method, band)
  )


def _levels(ldr: np.ndarray, method: Method, band: int) -> ExposureLevels:
  luminance = np.empty(ldr.shape[:2], np.float32)
  for rows in _bands(ldr, band):
    luminance[rows] = color.luminance(as_float(ldr[rows]))[..., 0]
  low, high = np.percentile(luminance, [method.q_lo, method.q_hi], overwrite_input=True)
  return ExposureLevels(*(np.full((1, 1, 1, 1), level, np.float32) for level in (low, high)))


def _tone(ldr: np.ndarray, method: Method, band: int) -> Array:
  """By counting values."""
  if not method.network.tone_bins:
    return np.zeros((1, 6, 0), np.float32)
  y = _values(ldr, method)
  counts, counts_of_largest, differences = (np.zeros((n, y.size)) for n in (3, 1, 3))
  for rows in _bands(ldr, band):
    steps = _steps(ldr[rows]).reshape(-1, 3)
    largest = steps.max(axis=-1)
    counts_of_largest += np.bincount(largest, minlength=y.size)
    for channel, values in enumerate(steps.T):
      counts[channel] += np.bincount(values, minlength=y.size)
      below = y[largest] - y[values]
      differences[channel] += np.bincount(largest, weights=below, minlength=y.size)
  weights = np.asarray(hat_weights(y, method.network.tone_bins), np.float64)
  sums = (counts, counts_of_largest, differences)
  pixels = ldr.shape[0] * ldr.shape[1]
  return assemble(*((n @ weights / pixels).astype(np.float32)[None] for n in sums))


def _cells(ldr: np.ndarray, method: Method, band: int) -> Array:
  cells = method.network.tone_cells
  if not cells:
    return np.zeros((1, 0, 0, 3 * len(KNOTS)), np.float32)
  level = _values(ldr, method) / np.float32(method.white)
  weights = np.stack([level_weight(level, near) for near in NEIGHBOURHOODS])  # [knots, steps]
  down, across = (cell_weights(size, cells) for size in ldr.shape[:2])
  sums = np.zeros((cells, cells, len(KNOTS), 3))
  for rows in _bands(ldr, band):
    steps = _steps(ldr[rows])
    for channel in range(3):
      for knot, weight in enumerate(weights):
        sums[:, :, knot, channel] += down[:, rows] @ (weight[steps[..., channel]] @ across.T)
  return sums.reshape(1, cells, cells, -1).astype(np.float32)


def _steps(ldr: np.ndarray) -> np.ndarray:
  """The integers of a checked image; floats in steps of 16 bits."""
  if np.issubdtype(ldr.dtype, np.integer):
    return ldr
  return np.rint(as_float(ldr) * (2**16 - 1)).astype(np.uint16)


def _values(ldr: np.ndarray, method: Method) -> np.ndarray:
  """The y of each integer that `_steps` can give."""
  most = np.iinfo(np.uint8 if ldr.dtype == np.uint8 else np.uint16).max
  ramp = np.arange(most + 1, dtype=np.float32)[:, None] / np.float32(most)
  return np.asarray(method.encode_ldr(np.repeat(ramp, 3, axis=1)))[:, 0]


def _bands(ldr: np.ndarray, pixels: int) -> Iterator[slice]:
  step = max(1, pixels // ldr.shape[1])
  return (slice(first, first + step) for first in range(0, ldr.shape[0], step))


def checked(ldr: np.ndarray) -> np.ndarray:
  """The array if it is an image that can be reconstructed."""
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
