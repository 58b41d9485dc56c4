"""Radiance .hdr in and out: header, orientation, colour."""

import os
import re
from typing import BinaryIO, NamedTuple

import numpy as np

from expocm_jax.errors import UserError
from expocm_jax.image_io import rgbe
from expocm_jax.image_io.atomic import atomic_path
from expocm_jax.image_io.inputs import check_size, decoding
from expocm_jax.image_io.primaries import XYZ, convert, to_bt709

_AXES = re.compile(rb"([+-])([XY])\s+(\d+)\s+([+-])([XY])\s+(\d+)\s*$")
_MAX_HEADER_LINES = 10_000
_ROWS = 256  # encoded at a time


class _Header(NamedTuple):
  xyz: bool  # pixels are CIE XYZ
  gain: np.ndarray  # [3] float64, what the pixels were multiplied with
  primaries: tuple[float, ...] | None  # of the PRIMARIES line
  axes: tuple[bytes, ...]  # sign, letter, size of the slow and the fast axis


def read_radiance(path: str | os.PathLike, file: BinaryIO) -> np.ndarray:
  """[H, W, 3] float32, linear BT.709, from an open .hdr; not cleaned.

  All three codings (flat, old and new run lengths), all eight orientations, RGBE and XYZE.
  The header's EXPOSURE and COLORCORR are divided out and PRIMARIES other than BT.709 are
  converted, as the format's reference says: the result is the scene's radiance.
  """
  file.seek(0)
  with decoding(path, "Radiance file"):
    header = _read_header(path, file)
    slow_sign, slow, lines, fast_sign, _, width = header.axes
    lines, width = int(lines), int(width)
    check_size(path, width, lines)
    pixels = rgbe.to_floats(rgbe.decode(file.read(), lines, width))
    matrix = (
      to_bt709(XYZ if header.xyz else header.primaries)
      if (header.xyz or header.primaries)
      else None
    )
  # -Y runs downwards and +X to the right, as arrays do.
  if slow_sign == (b"+" if slow == b"Y" else b"-"):
    pixels = pixels[::-1]
  if fast_sign == (b"-" if slow == b"Y" else b"+"):
    pixels = pixels[:, ::-1]
  if slow == b"X":
    pixels = pixels.swapaxes(0, 1)
  if (header.gain != 1).any():
    pixels = (pixels / header.gain).astype(np.float32)
  return np.ascontiguousarray(convert(pixels, matrix))


def _read_header(path, file: BinaryIO) -> _Header:
  xyz, gain, primaries = False, np.ones(3), None
  for _ in range(_MAX_HEADER_LINES):
    line = file.readline(1 << 16)
    if not line.strip():
      break
    key, _, value = line.partition(b"=")
    match key.strip():
      case b"FORMAT":
        if value.strip() not in (b"32-bit_rle_rgbe", b"32-bit_rle_xyze"):
          raise UserError(
            f"{path}: Radiance format {value.strip().decode('latin-1')!r} is not "
            "known; export it as RGBE"
          )
        xyz = b"xyze" in value
      case b"EXPOSURE":
        gain = gain * float(value)
      case b"COLORCORR":
        gain = gain * [float(number) for number in value.split()]
      case b"PRIMARIES":
        primaries = _primaries(value)
  if not (np.isfinite(gain).all() and (gain > 0).all()):
    raise ValueError("EXPOSURE or COLORCORR is not a positive number")
  axes = _AXES.match(file.readline(1 << 16))
  if axes is None or axes[2] == axes[5]:
    raise ValueError("no line with the size, such as -Y 512 +X 1024")
  return _Header(xyz, gain, primaries, axes.groups())


def _primaries(value: bytes) -> tuple[float, ...] | None:
  """Eight numbers; None if some program filled the line with something impossible."""
  try:
    numbers = tuple(float(number) for number in value.split())
    to_bt709(numbers)
    return numbers
  except ValueError:
    return None


def write_radiance(path: str | os.PathLike, hdr: np.ndarray, *, attributes: dict) -> None:
  """Writes [H, W, 3] as RGBE with run lengths, rounded, atomically.

  The attributes stand in the header as comment lines, `# name: value`. Negatives become 0.
  """
  height, width, _ = hdr.shape
  lines = ["#?RADIANCE"]
  lines += [" ".join(f"# {name}: {value}".split()) for name, value in attributes.items()]
  lines += ["FORMAT=32-bit_rle_rgbe", "", f"-Y {height} +X {width}", ""]
  with atomic_path(path) as temp, open(temp, "wb") as file:
    file.write("\n".join(lines).encode())
    file.writelines(
      rgbe.encode(rgbe.from_floats(hdr[top : top + _ROWS])) for top in range(0, height, _ROWS)
    )
