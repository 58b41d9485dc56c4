"""Perspective views of equirectangular panoramas.

The panorama's columns are longitudes from -180 to 180 degrees (the middle column looks ahead,
columns to the right of it look to the right), its rows latitudes from 90 (top) to -90.
"""

import math

import numpy as np

from input_pipeline.camera import resample


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
  """Camera-to-world rotation, float64 [3, 3]; axes x right, y up, z ahead; angles in degrees.

  yaw > 0 looks to the right, pitch > 0 up, roll > 0 turns the camera clockwise about its axis.
  """
  a, b, c = (math.radians(angle) for angle in (yaw, pitch, roll))
  about_y = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
  about_x = np.array([[1, 0, 0], [0, math.cos(b), math.sin(b)], [0, -math.sin(b), math.cos(b)]])
  about_z = np.array([[math.cos(c), math.sin(c), 0], [-math.sin(c), math.cos(c), 0], [0, 0, 1]])
  return about_y @ about_x @ about_z


def focal_length(width: int, fov: float) -> float:
  """Of a pinhole camera, in pixels; `fov` is horizontal, degrees."""
  return 0.5 * width / math.tan(math.radians(fov) / 2)


def view_angles(*, size, fov: float, yaw: float, pitch: float, roll: float):
  """Longitude and latitude of every pixel of a view, radians, two float32 arrays [h, w]."""
  height, width = size
  focal = focal_length(width, fov)
  right = ((np.arange(width) - (width - 1) / 2) / focal).astype(np.float32)
  up = (((height - 1) / 2 - np.arange(height)) / focal).astype(np.float32)[:, None]
  x, y, z = (
    row[0] * right + (row[1] * up + row[2]) for row in rotation(yaw, pitch, roll).astype(np.float32)
  )
  # arctan2 by the half-angle formula and a plain arctan, which numpy runs twice as fast.
  level = np.maximum(np.sqrt(x * x + z * z), np.float32(1e-20))
  with np.errstate(divide="ignore", invalid="ignore"):
    half_tangent = np.where(z >= 0, x / (level + np.maximum(z, 0)), (level - z) / x)
  return 2 * np.arctan(half_tangent), np.arctan(y / level)


def sample(panorama: np.ndarray, longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
  """Bilinear samples of `panorama` [H, W, 3] at angles in radians [...]: float32 [..., 3].

  Columns wrap around; beyond a pole the picture goes on at the opposite longitude. Only the pixels
  that are read are converted to float32. The result is a view of planes [3, ...] in memory: numpy
  keeps that order through elementwise work, and broadcasting over it is several times as fast.
  """
  height, width = panorama.shape[:2]
  column = (longitude * np.float32(0.5 / math.pi) + np.float32(0.5)) * width - np.float32(0.5)
  row = (np.float32(0.5) - latitude * np.float32(1 / math.pi)) * height - np.float32(0.5)
  left, top = np.floor(column), np.floor(row)
  column_fraction, row_fraction = column - left, row - top
  left, top = left.astype(np.intp) % width, top.astype(np.intp)
  right = (left + 1) % width
  pixels, planes = panorama.reshape(-1, panorama.shape[-1]), []
  for y in (top, top + 1):
    beyond = (y < 0) | (y >= height)
    across, rows = (left, right), y
    if beyond.any():
      shift = np.where(beyond, width // 2, 0)
      across, rows = [(x + shift) % width for x in across], np.clip(y, 0, height - 1)
    for x in across:
      taken = pixels.take((rows * width + x).ravel(), axis=0).T
      planes.append(taken.astype(np.float32, order="C").reshape(-1, *x.shape))
  a, b, c, d = planes  # top left, top right, bottom left, bottom right
  mixed = (a, b, column_fraction), (c, d, column_fraction), (a, c, row_fraction)
  for first, second, fraction in mixed:
    second -= first  # in place: arrays of this size are slow to allocate
    second *= fraction
    first += second
  return np.moveaxis(a, 0, -1)


def perspective_view(panorama, *, size, fov: float, yaw: float, pitch: float, roll: float):
  """A pinhole camera's view into a panorama: float32 [h, w, 3], linear radiance.

  Args:
    panorama: [H, W, 3] float16 or float32, or the tuple of its `resample.pyramid` levels, which
      saves averaging it down for every view.
    size: (h, w) of the view in pixels.
    fov: horizontal field of view, degrees, above 0 and below 180.
    yaw, pitch, roll: degrees, see `rotation`.
  """
  full = panorama if isinstance(panorama, np.ndarray) else panorama[0]
  # Towards a pole the panorama only repeats itself sideways, so its rows tell the true density;
  # at its centre a view has the fewest pixels per degree.
  minification = full.shape[0] / math.pi / focal_length(size[1], fov)
  level = resample.level_for(panorama, minification)
  longitude, latitude = view_angles(size=size, fov=fov, yaw=yaw, pitch=pitch, roll=roll)
  return sample(level, longitude, latitude)
