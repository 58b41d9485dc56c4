"""Readings of a photo: as sRGB, or with its camera's response undone, before all else.

A photo is read as sRGB unless its response is told. Then linear = curve(photo), and what is
reconstructed is linear_to_srgb(linear): nothing after that knows of responses, and 1.0 still is
where the photo clips.
"""

import csv
import functools
import math
import os
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from expocm_jax.checkpoints import pretrained, weights
from expocm_jax.colorimetry import linear_to_srgb
from expocm_jax.errors import UserError, first_line
from expocm_jax.image_io import atomic_path
from expocm_jax.inference import photo_statistics
from expocm_jax.network import response_estimator

GAMMAS = (0.2, 5.0)  # least and most of gamma:NUMBER
COLUMNS = (["code", "red", "green", "blue"], ["code", "linear"])
CODES = 256  # of the curves that are made here
ESTIMATED_FROM = 2**16  # pixels, about so many, of a photo of any size
_REMEDY = "give gamma:2.2, estimate, or a file such as --mode=calibrate writes"

Reading = Callable[[np.ndarray], np.ndarray]  # from the photo to what is reconstructed


class ResponseCurve(NamedTuple):
  """The inverse of a camera's response: points joined by straight lines, never falling."""

  codes: np.ndarray  # [N], rising from 0 to 1
  linear: np.ndarray  # [N, 3], the linear light of each code in R, G and B, from 0 to 1

  def __call__(self, photo: np.ndarray) -> np.ndarray:
    """The photo as it is to be reconstructed.

    Args:
      photo: [H, W, 3] as the file holds it: floats in [0, 1], uint8 or uint16.

    Returns:
      [H, W, 3] float32 in [0, 1], sRGB. Beside it only a band of the photo takes memory.

    Raises:
      ValueError: an array of another shape, type or range.
    """
    photo = photo_statistics.checked(photo)
    read = np.empty(photo.shape, np.float32)
    for channel in range(3):
      to_srgb = functools.partial(self._to_srgb, channel=channel)
      if np.issubdtype(photo.dtype, np.integer):
        every = np.linspace(0.0, 1.0, np.iinfo(photo.dtype).max + 1)
        to_srgb = functools.partial(np.take, to_srgb(every).astype(np.float32))
      for rows in photo_statistics.bands(photo):
        read[rows, :, channel] = to_srgb(photo[rows, :, channel])
    return read

  def _to_srgb(self, codes: np.ndarray, channel: int) -> np.ndarray:
    return linear_to_srgb(np.interp(codes, self.codes, self.linear[:, channel]))


def parse_response(text: str) -> Reading:
  """The reading that `text` names.

  Args:
    text: "gamma:NUMBER"; "estimate", or "estimate:FILE" by other weights than the shipped; else a
      file of `read_response_csv`.

  Raises:
    UserError: a gamma out of range, or a file that cannot be read or holds something else.
  """
  kind, _, rest = text.partition(":")
  if kind == "estimate":
    estimate = load_estimator(rest or None)
    return lambda photo: estimate(photo)(photo)
  if kind == "gamma":
    return gamma_curve(_gamma(text, rest))
  return read_response_csv(text)


def _gamma(text: str, number: str) -> float:
  low, high = GAMMAS
  try:
    gamma = float(number)
  except ValueError:
    gamma = math.nan
  if not low <= gamma <= high:
    raise UserError(f"--response={text}: gamma is a number from {low} to {high}; {_REMEDY}")
  return gamma


def gamma_curve(gamma: float) -> ResponseCurve:
  """linear = code ** gamma in every channel."""
  codes = np.linspace(0.0, 1.0, 2**16)
  return ResponseCurve(codes, np.repeat(codes[:, None] ** gamma, 3, axis=1))


def load_estimator(path: str | os.PathLike | None = None) -> Callable[[np.ndarray], ResponseCurve]:
  """The function that estimates the curve of a photo [H, W, 3] from some pixels of the whole.

  Args:
    path: a file of `--mode=train_response`; None takes the shipped one.

  Raises:
    UserError: no such file, or it holds something else.
  """
  path = path or pretrained.FOLDER / f"{pretrained.RESPONSE}{weights.SUFFIX}"
  try:
    config, params, _ = weights.load_weights(path, init=response_estimator.init_params)
  except UserError as error:
    raise UserError(f"--response=estimate: no weights of an estimator: {error}") from error
  apply = jax.jit(response_estimator.from_config(config.estimator).apply)

  def estimate(photo: np.ndarray) -> ResponseCurve:
    photo = photo_statistics.checked(photo)
    # Neighbours of the sample lie as far apart as those of the small photos of the training.
    every = max(1, round(math.sqrt(photo.shape[0] * photo.shape[1] / ESTIMATED_FROM)))
    sample = photo_statistics.as_float(photo[::every, ::every])
    seen = response_estimator.statistics(np.rint(255 * sample).astype(np.uint8), config)
    heights = np.asarray(apply({"params": params}, seen[None])[0])
    mu = response_estimator.mu_of(config)
    codes = np.linspace(0.0, 1.0, CODES)
    return ResponseCurve(codes, response_estimator.curve_table(heights, mu=mu))

  return estimate


def read_response_csv(path: str | os.PathLike) -> ResponseCurve:
  """The curve in a CSV file.

  Its first line names the columns, code,red,green,blue or code,linear. Codes rise from 0 to 255, or
  from 0 to 1; the linear light of each rises, or stays, from 0 to 1.

  Raises:
    UserError: no such file, or not such a table.
  """
  try:
    with open(path, newline="", encoding="utf-8-sig") as file:
      lines = list(csv.reader(file))
  except (OSError, ValueError, csv.Error) as error:
    reason = getattr(error, "strerror", None) or first_line(error)
    raise UserError(f"--response={path}: cannot be read ({reason}); {_REMEDY}") from error
  header = [name.strip().lower() for name in lines[0]] if lines else []
  if header not in COLUMNS:
    known = " or ".join(map(",".join, COLUMNS))
    raise UserError(f"{path}: line 1 does not name the columns; begin the file with {known}")
  numbered = [(number, line) for number, line in enumerate(lines[1:], 2) if line]
  if len(numbered) < 2:
    raise UserError(f"{path}: {len(numbered)} codes; give at least the first and the last")
  table = np.array([_numbers(path, number, line, header) for number, line in numbered])
  for column, name in enumerate(header):
    values, steps = table[:, column], np.diff(table[:, column])
    falls = np.flatnonzero(steps < 0 if column else steps <= 0)
    if falls.size:
      raise UserError(f"{path}: line {numbered[falls[0] + 1][0]}: {name} does not rise; sort the "
                      "codes, and smooth the curve")  # fmt: skip
    ends, wanted = (values[0], values[-1]), ([(0, 1)] if column else [(0, 1), (0, 255)])
    if ends not in wanted:
      raise UserError(
        f"{path}: {name} goes from {ends[0]:g} to {ends[1]:g} instead of from "
        f"{' or '.join(f'{a} to {b}' for a, b in wanted)}; add the ends, or scale the column"
      )
  return ResponseCurve(table[:, 0] / table[-1, 0], np.broadcast_to(table[:, 1:], (len(table), 3)))


def _numbers(path, number: int, line: list[str], header: list[str]) -> list[float]:
  try:
    values = [float(text) for text in line]
  except ValueError:
    values = []
  if len(values) != len(header) or not all(map(math.isfinite, values)):
    raise UserError(f"{path}: line {number} is not {len(header)} numbers; mend or delete it")
  return values


def write_response_csv(path: str | os.PathLike, curve: ResponseCurve) -> None:
  """Writes a curve for `read_response_csv`, at the 8-bit codes; UserError if that fails."""
  codes = np.arange(CODES)
  columns = [np.interp(codes / (CODES - 1), curve.codes, c) for c in np.transpose(curve.linear)]
  with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
    rows = zip(codes.tolist(), *(c.tolist() for c in columns), strict=True)
    csv.writer(file, lineterminator="\n").writerows([COLUMNS[0], *rows])
