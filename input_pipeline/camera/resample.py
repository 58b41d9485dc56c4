"""Resampling of linear radiance without aliasing: area averages, their pyramid, resized parts.

A sun is a few pixels wide and ten stops above its surroundings: skipped by one tap it vanishes,
hit by the next it doubles. So whatever is minified is averaged over areas first.
"""

import math

import numpy as np
from PIL import Image

LEVEL_STEP = math.sqrt(2.0)  # ratio of neighbouring pyramid levels
SMALLEST_LEVEL = 16  # pixels, of the shorter side


def average(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  """Each pixel of the result, float32 [h, w, 3], is the mean of `image` [H, W, 3] over its area.

  Pixels that are cut by an edge are shared out, so the radiance is kept exactly. Nothing is read
  from beyond an area: a panorama needs no padding.
  """
  image = image.astype(np.float64)
  for axis, count in enumerate(size):
    length = image.shape[axis]
    edges = np.linspace(0.0, length, count + 1)
    pixel = np.minimum(edges.astype(np.intp), length - 1)
    shape = [-1 if a == axis else 1 for a in range(3)]
    before = np.cumsum(image, axis=axis) - image
    integral = before.take(pixel, axis) + (edges - pixel).reshape(shape) * image.take(pixel, axis)
    image = np.diff(integral, axis=axis) * (count / length)
  # Differences of sums may end a rounding error below zero.
  return np.maximum(image, 0.0).astype(np.float32)


def crop_resize(image: np.ndarray, size: tuple[int, int], *, box) -> np.ndarray:
  """A part of `image` [H, W, 3] at `size` (h, w), float32, under a triangle two pixels wide.

  `box` is (left, top, right, bottom) in pixels, fractions allowed. It may be magnified too.
  """
  channels = [
    Image.fromarray(np.ascontiguousarray(image[..., c], dtype=np.float32)).resize(
      (size[1], size[0]), Image.Resampling.BILINEAR, box=box
    )
    for c in range(image.shape[-1])
  ]
  return np.moveaxis(np.stack([np.asarray(channel) for channel in channels]), 0, -1)


def pyramid(image: np.ndarray) -> tuple[np.ndarray, ...]:
  """Levels of `image` [H, W, 3], each smaller than the last by sqrt(2), in the image's dtype.

  All levels together take twice the memory of the image.
  """
  height, width = image.shape[:2]
  levels = [image]
  for step in range(1, 64):
    scale = LEVEL_STEP**-step
    size = (round(height * scale), round(width * scale))
    if min(size) < SMALLEST_LEVEL:
      break
    levels.append(average(levels[-1], size).astype(image.dtype))
  return tuple(levels)


def level_for(image, minification: float) -> np.ndarray:
  """The version of `image` whose pixels are about as wide as the samples' spacing.

  `image` is one array [H, W, 3] or its `pyramid`; `minification` is the spacing of the samples
  in pixels of the full image. An array is averaged down once, a pyramid only looked up, with
  what is left of the minification between 0.84 and 1.19.
  """
  if isinstance(image, np.ndarray):
    if minification <= LEVEL_STEP**0.5:
      return image
    size = tuple(max(1, round(n / minification)) for n in image.shape[:2])
    return average(image, size)
  step = round(math.log(max(minification, 1.0), LEVEL_STEP))
  return image[min(step, len(image) - 1)]
