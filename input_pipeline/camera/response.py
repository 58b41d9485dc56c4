"""Camera response: from linear signal to the code values of an 8-bit photo, and back.

A response is a function of linear signal [...] or [..., 3] in [0, 1] (what lies outside is clipped)
to display-referred [0, 1]; monotone, 0 -> 0, 1 -> 1. `Response` is what training draws, `Filmic` is
held out for evaluation.

The measured curves of the Database of Response Functions (Grossberg and Nayar, What is the Space of
Camera Response Functions?, CVPR 2003, Columbia University) are not ours to pass on; `read_dorf`
reads the user's copy. Its `dorfCurves.txt` has six lines a curve: name, type, "I =", the
irradiances, "B =", the brightnesses, both rising from 0 to 1.
"""

import functools
import os
from typing import NamedTuple

import numpy as np

from expocm_jax.colorimetry import linear_to_srgb
from expocm_jax.errors import UserError

FILMIC_GAIN = (0.5, 2.0)  # of `Filmic`: how far up the tone curve the clip lies
TABLE_SIZE = 2048  # of a response, even in the square root of the signal
_DORF_LINES = 6  # a curve
_DORF_SLACK = 0.01  # how far measured curves may leave [0, 1] or fall


class Response(NamedTuple):
  """Two families, mixed; each field is a number, or one per channel.

  An encoding: the sRGB curve (which is `Response()`) with another gamma and some S-curve, which is
  what a camera's plain output comes near to. A film curve with toe and shoulder,
  (1 + sigma) x^n / (x^n + sigma): the fit of HDRCNN (Eilertsen et al. 2017) to the Database of
  Response Functions, around n = 0.9 and sigma = 0.6, which is what picture styles come near to.
  """

  gamma: np.ndarray | float = 1.0  # power of the sRGB curve's output
  s: float = 0.0  # weight of the S-curve 3 v^2 - 2 v^3 after it, in [0, 1]
  film: float = 0.0  # weight of the film curve beside these two, in [0, 1]
  exponent: np.ndarray | float = 0.9  # n of the film curve
  sigma: float = 0.6  # of the film curve

  def __call__(self, signal: np.ndarray) -> np.ndarray:
    x = np.clip(signal, 0.0, 1.0)
    gamma, s, film, exponent, sigma = (np.asarray(value, x.dtype) for value in self)
    value = np.power(linear_to_srgb(x), gamma)
    value = value + s * (value * value * (3 - 2 * value) - value)
    power = np.power(x, exponent)
    return value + film * ((1 + sigma) * power / (power + sigma) - value)


class Filmic(NamedTuple):
  """A game engine's picture style: Narkowicz's fit of the ACES tone curve (2015), then sRGB."""

  gain: float = 1.0  # on the signal before the curve, which is scaled to end at one

  def __call__(self, signal: np.ndarray) -> np.ndarray:
    x = np.clip(signal, 0.0, 1.0)
    return linear_to_srgb(_aces(x * np.asarray(self.gain, x.dtype)) / _aces(self.gain))


def _aces(x):
  return x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)


def draw(rng: np.random.Generator, camera) -> Response | Filmic:
  """The response of one photo, of the kind that `camera.response` names.

  "training": of the ranges of `camera`, with the gamma of each channel a little off; "srgb":
  exactly that; "filmic": `Filmic`, with a gain from FILMIC_GAIN.
  """
  if camera.response == "srgb":
    return Response()
  if camera.response == "filmic":
    return Filmic(float(np.exp(rng.uniform(*np.log(FILMIC_GAIN)))))
  spread = np.exp(camera.response_channel * rng.standard_normal(3))
  return Response(
    gamma=rng.uniform(*camera.response_gamma) * spread,
    s=rng.uniform(*camera.response_s),
    film=rng.uniform(*camera.response_film),
    exponent=rng.uniform(*camera.film_exponent) * spread,
    sigma=rng.uniform(*camera.film_sigma),
  )


def develop(signal: np.ndarray, response) -> np.ndarray:
  """The codes of linear [h, w, 3], rounded to 8 bits: uint8.

  By a table, which is within 0.1 of a code of the exact curve everywhere; a few powers per pixel
  would cost as much as the rest of the camera.
  """
  _, table = _tabulated(response)
  table = np.ascontiguousarray(np.rint(255 * table).T.astype(np.uint8))
  index = (np.sqrt(np.clip(signal, 0.0, 1.0)) * (TABLE_SIZE - 1) + 0.5).astype(np.int16)
  return np.stack([table[c].take(index[..., c]) for c in range(3)], axis=-1)


def linearise(codes: np.ndarray, response) -> np.ndarray:
  """The linear signal [h, w, 3] float32 in [0, 1] that `response` turns into `codes` in [0, 1]."""
  signal, table = _tabulated(response)
  planes = [np.interp(codes[..., c], table[:, c], signal) for c in range(3)]
  return np.stack(planes, axis=-1).astype(np.float32)


def _tabulated(response) -> tuple[np.ndarray, np.ndarray]:
  """(signal [N], codes [N, 3]), float32, even in the square root of the signal."""
  signal = np.linspace(0.0, 1.0, TABLE_SIZE, dtype=np.float32) ** 2
  return signal, response(np.repeat(signal[:, None], 3, axis=1))


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
