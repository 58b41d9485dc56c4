"""Measured camera response curves from the user's copy of DoRF.

The Database of Response Functions (Grossberg and Nayar, What is the Space of Camera Response
Functions?, CVPR 2003, Columbia University) is not ours to pass on. Its `dorfCurves.txt` has six
lines a curve: name, type, "I =", the irradiances, "B =", the brightnesses, both rising from 0 to 1.
"""

import functools
import os

import numpy as np

from expocm_jax.errors import UserError

LINES = 6
_SLACK = 0.01  # how far measured curves may leave [0, 1] or fall


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
      lines = [line.strip() for line in file]
  except OSError as error:
    raise UserError(
      f"{path}: cannot be read ({error.strerror}); give DoRF's dorfCurves.txt as "
      "data.response_curves, or leave the field empty"
    ) from error
  while lines and not lines[-1]:
    lines.pop()
  if not lines or len(lines) % LINES:
    raise _broken(path, f"{len(lines)} lines, which is no multiple of {LINES}")
  starts = range(0, len(lines), LINES)
  return tuple(_curve(path, start + 1, lines[start : start + LINES]) for start in starts)


def _curve(path, number, lines):
  name, _, i_label, i_line, b_label, b_line = lines
  for offset, label, wanted in ((2, i_label, "I="), (4, b_label, "B=")):
    if label.replace(" ", "") != wanted:
      raise _broken(path, f"line {number + offset} is {label[:20]!r}, not {wanted[0]!r} =")
  try:
    irradiance, brightness = (np.array(line.split(), np.float32) for line in (i_line, b_line))
  except ValueError:
    raise _broken(path, f"the curve {name!r} has something that is no number") from None
  if len(irradiance) != len(brightness) or len(irradiance) < 2:
    raise _broken(
      path, f"the curve {name!r} has {len(irradiance)} irradiances, {len(brightness)} brightnesses"
    )
  values = np.stack([irradiance, brightness])
  steps = np.diff(values, axis=1)
  if (
    not np.isfinite(values).all()
    or values.min() < -_SLACK
    or values.max() > 1 + _SLACK
    or steps[0].min() <= 0
    or steps[1].min() < -_SLACK
  ):
    raise _broken(path, f"the curve {name!r} does not rise within 0 and 1")
  brightness = np.maximum.accumulate(np.clip(brightness, 0.0, 1.0))
  return name, np.clip(irradiance, 0.0, 1.0), brightness


def _broken(path, problem):
  return UserError(f"{path}: not DoRF's dorfCurves.txt ({problem}); copy it again as it comes")
