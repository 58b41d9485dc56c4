"""Camera response: from linear signal to the code values of an 8-bit photo.

Two families, mixed. An encoding: the sRGB curve with another gamma and some S-curve, which is what
a camera's plain output comes near to. A film curve with toe and shoulder,
(1 + sigma) x^n / (x^n + sigma): the fit of HDRCNN (Eilertsen et al. 2017) to the Database of
Response Functions, around n = 0.9 and sigma = 0.6, which is what picture styles come near to.

The measured curves of that database (Grossberg and Nayar, What is the Space of Camera Response
Functions?, CVPR 2003, Columbia University) are not ours to pass on; `read_dorf` reads the user's
copy. Its `dorfCurves.txt` has six lines a curve: name, type, "I =", the irradiances, "B =", the
brightnesses, both rising from 0 to 1.
"""

import functools
import os
from typing import NamedTuple

import numpy as np

from expocm_jax.errors import UserError

_DORF_LINES = 6  # a curve
_DORF_SLACK = 0.01  # how far measured curves may leave [0, 1] or fall


class Response(NamedTuple):
  """The response of one photo; a number, or one per channel."""

  gamma: np.ndarray | float = 1.0  # power of the sRGB curve's output
  s: float = 0.0  # weight of the S-curve 3 v^2 - 2 v^3 after it, in [0, 1]
  film: float = 0.0  # weight of the film curve beside these two, in [0, 1]
  exponent: np.ndarray | float = 0.9  # n of the film curve
  sigma: float = 0.6  # of the film curve


def draw(rng: np.random.Generator, camera) -> Response:
  """A random response of the ranges of `camera`, with the gamma of each channel a little off."""
  spread = np.exp(camera.response_channel * rng.standard_normal(3))
  return Response(
    gamma=rng.uniform(*camera.response_gamma) * spread,
    s=rng.uniform(*camera.response_s),
    film=rng.uniform(*camera.response_film),
    exponent=rng.uniform(*camera.film_exponent) * spread,
    sigma=rng.uniform(*camera.film_sigma),
  )


def response_curve(signal: np.ndarray, response: Response) -> np.ndarray:
  """From linear [0, 1] to display-referred [0, 1]; monotone, 0 -> 0, 1 -> 1.

  `signal` is [...], or [..., 3] for a response with values per channel. `Response()` is the sRGB
  curve (IEC 61966-2-1).
  """
  x = np.clip(signal, 0.0, 1.0)
  gamma, s, film, exponent, sigma = (np.asarray(value, x.dtype) for value in response)
  value = np.where(
    x <= 0.0031308,
    12.92 * x,
    1.055 * np.power(np.maximum(x, 0.0031308), np.float32(1 / 2.4)) - 0.055,
  )
  value = np.power(value, gamma)
  value = value + s * (value * value * (3 - 2 * value) - value)
  power = np.power(x, exponent)
  return value + film * ((1 + sigma) * power / (power + sigma) - value)


def develop(signal: np.ndarray, response: Response) -> np.ndarray:
  """Clips linear [h, w, 3] to [0, 1], applies `response_curve` and rounds to 8 bits: uint8.

  By a table that is even in the square root of the signal, which is within 0.1 of a code of the
  exact curve everywhere; a few powers per pixel would cost as much as the rest of the camera.
  """
  steps = np.linspace(0.0, 1.0, 2048, dtype=np.float32)[:, None] ** 2
  table = np.rint(255 * response_curve(np.repeat(steps, 3, axis=1), response))
  table = np.ascontiguousarray(table.T.astype(np.uint8))
  index = (np.sqrt(np.clip(signal, 0.0, 1.0)) * 2047 + 0.5).astype(np.int16)
  return np.stack([table[c].take(index[..., c]) for c in range(3)], axis=-1)


@functools.lru_cache(maxsize=4)
def read_dorf(path: str | os.PathLike) -> tuple[tuple[str, np.ndarray, np.ndarray], ...]:
  """All curves of a `dorfCurves.txt`.

  Returns:
    (name, irradiance [N], brightness [N]) of each, float32 in [0, 1], the irradiance rising, the
    brightness never falling; N is 1024 in the original.

  Raises:
    UserError: no such file, or not in this format.
  """
  try:
    with open(path, encoding="utf-8", errors="replace") as file:
      lines = [line.strip() for line in file.read().rstrip().splitlines()]
    if not lines or len(lines) % _DORF_LINES:
      raise ValueError(f"{len(lines)} lines, which is no multiple of {_DORF_LINES}")
    starts = range(0, len(lines), _DORF_LINES)
    return tuple(_curve(start + 1, *lines[start : start + _DORF_LINES]) for start in starts)
  except OSError as error:
    raise UserError(
      f"{path}: cannot be read ({error.strerror}); give DoRF's dorfCurves.txt as "
      "data.response_curves, or leave the field empty"
    ) from error
  except ValueError as error:
    raise UserError(
      f"{path}: not DoRF's dorfCurves.txt ({error}); copy it again as it comes"
    ) from error


def _curve(number, name, _, i_label, i_line, b_label, b_line):
  """One curve, as `read_dorf` gives it; `number` is that of its first line."""
  for offset, label, wanted in ((2, i_label, "I="), (4, b_label, "B=")):
    if label.replace(" ", "") != wanted:
      raise ValueError(f"line {number + offset} is {label[:20]!r}, not {wanted[0]!r} =")
  try:
    irradiance, brightness = (np.array(line.split(), np.float32) for line in (i_line, b_line))
  except ValueError:
    raise ValueError(f"the curve {name!r} has something that is no number") from None
  counts = len(irradiance), len(brightness)
  if counts[0] != counts[1] or counts[0] < 2:
    raise ValueError(f"the curve {name!r} has {counts[0]} irradiances, {counts[1]} brightnesses")
  values = np.stack([irradiance, brightness])
  rise = np.diff(values, axis=1).min(axis=1)
  within = -_DORF_SLACK <= values.min() and values.max() <= 1 + _DORF_SLACK  # False with NaN
  if not (within and rise[0] > 0 and rise[1] >= -_DORF_SLACK):
    raise ValueError(f"the curve {name!r} does not rise within 0 and 1")
  irradiance, brightness = np.clip(values, 0.0, 1.0)
  return name, irradiance, np.maximum.accumulate(brightness)
