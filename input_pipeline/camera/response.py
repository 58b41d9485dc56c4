"""Camera response: from linear signal to the code values of an 8-bit photo.

Two families, mixed. An encoding: the sRGB curve with another gamma and some S-curve, which is what
a camera's plain output comes near to. A film curve with toe and shoulder,
(1 + sigma) x^n / (x^n + sigma): the fit of HDRCNN (Eilertsen et al. 2017) to the Database of
Response Functions, around n = 0.9 and sigma = 0.6, which is what picture styles come near to.
"""

from typing import NamedTuple

import numpy as np


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


SRGB = Response()


def response_curve(signal: np.ndarray, response: Response = SRGB) -> np.ndarray:
  """From linear [0, 1] to display-referred [0, 1]; monotone, 0 -> 0, 1 -> 1.

  `signal` is [...], or [..., 3] for a response with values per channel. The default response is
  the sRGB curve (IEC 61966-2-1).
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
  index = np.sqrt(np.clip(signal, 0.0, 1.0))
  index *= 2047
  index += 0.5
  index = index.astype(np.int16)
  return np.stack([table[c].take(index[..., c]) for c in range(3)], axis=-1)
