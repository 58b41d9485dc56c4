"""Radiance .hdr in and out: Greg Ward's shared-exponent pixels (RGBE), header, orientation."""

import contextlib
import os
import re
from typing import BinaryIO

import numpy as np

from expocm_jax.colorimetry import BT709, XYZ, convert, to_bt709
from expocm_jax.errors import UserError
from expocm_jax.image_io.atomic_write import atomic_path
from expocm_jax.image_io.input_files import check_size, decoding
from expocm_jax.image_io.orientation import upright

_AXES = re.compile(rb"([+-][XY])\s+(\d+)\s+([+-][XY])\s+(\d+)\s*$")
# Slow and fast axis, -Y downwards and +X to the right, in the order of EXIF's orientations 1 to 8.
_ORIENTATIONS = (b"-Y+X", b"-Y-X", b"+Y-X", b"+Y+X", b"+X-Y", b"-X-Y", b"-X+Y", b"+X+Y")
_MAX_HEADER_LINES = 10_000
_ROWS = 256  # encoded at a time
_MIN_WIDTH, _MAX_WIDTH = 8, 32767  # of run-length coded scanlines
_LARGEST = 255 * 2.0**119
_LEAST_EXPONENT = -106  # of 1e-32, below which a pixel is black


def read_radiance(path: str | os.PathLike, file: BinaryIO) -> np.ndarray:
  """[H, W, 3] float32, linear BT.709, from an open .hdr; not cleaned.

  All three codings (flat, old and new run lengths), all eight orientations, RGBE and XYZE.
  The header's EXPOSURE and COLORCORR are divided out and PRIMARIES other than BT.709 are
  converted, as the format's reference says: the result is the scene's radiance.
  """
  file.seek(0)
  with decoding(path, "Radiance file"):
    gain, primaries = _read_header(path, file)
    axes = _AXES.match(file.readline(1 << 16))
    if axes is None or axes[1] + axes[3] not in _ORIENTATIONS:
      raise ValueError("no line with the size, such as -Y 512 +X 1024")
    orientation = 1 + _ORIENTATIONS.index(axes[1] + axes[3])
    lines, width = int(axes[2]), int(axes[4])
    check_size(path, width, lines)
    pixels = _decode(file.read(), lines, width)
  pixels = upright(pixels, orientation)
  if (gain != 1).any():
    pixels = (pixels / gain).astype(np.float32)
  return np.ascontiguousarray(convert(pixels, to_bt709(primaries)))


def _read_header(path, file: BinaryIO) -> tuple[np.ndarray, tuple[float, ...]]:
  """[3] float64 that the pixels were multiplied with, and their primaries."""
  xyz, gain, primaries = False, np.ones(3), BT709
  for _ in range(_MAX_HEADER_LINES):
    line = file.readline(1 << 16)
    if not line.strip():
      break
    key, _, value = line.partition(b"=")
    match key.rstrip():  # an indented line is of a picture that this one was made from
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
        with contextlib.suppress(ValueError):  # some programs write impossible ones
          stated = tuple(float(number) for number in value.split())
          to_bt709(stated)
          primaries = stated
  if not (np.isfinite(gain).all() and (gain > 0).all()):
    raise ValueError("EXPOSURE or COLORCORR is not a positive number")
  return gain, XYZ if xyz else primaries


def _decode(data: bytes, lines: int, width: int) -> np.ndarray:
  """Scanlines, in any of the three codings -> [lines, width, 3] float32.

  Raises:
    ValueError, RuntimeError: the data end early or contradict themselves.
  """
  import imagecodecs

  head = bytes([2, 2, width >> 8 & 255, width & 255])
  if not (_MIN_WIDTH <= width <= _MAX_WIDTH and data.startswith(head)):
    return imagecodecs.rgbe_decode(_flat_codes(data, lines * width).reshape(lines, width, 4))
  # At a scanline without its head the codec takes all that follows for flat pixels.
  if data.count(head) < lines:
    raise ValueError("scanlines are missing")
  pixels = np.empty((lines, width, 3), np.float32)
  try:
    imagecodecs.rgbe_decode(data, header=False, rle=True, out=pixels)
  except ValueError:
    # Bytes are left. After the image they do no harm, but where the data are longer than flat
    # pixels, scanlines may have been taken for these.
    if len(data) > 4 * lines * width:
      raise
  return pixels


def _flat_codes(data: bytes, count: int) -> np.ndarray:
  """Plain pixels, and the old run lengths that imagecodecs does not know -> [count, 4] uint8.

  In these (1, 1, 1, n) repeats the pixel before n times.
  """
  codes = np.frombuffer(data, np.uint8, len(data) // 4 * 4).reshape(-1, 4)
  is_run = (codes[:, :3] == 1).all(axis=1)
  if is_run.any():
    # Runs in a row are the digits of one long run, base 256, lowest first.
    index = np.arange(len(codes))
    digit = index - np.maximum.accumulate(np.where(is_run, -1, index)) - 1
    if is_run[0] or digit.max() > 3:
      raise ValueError("broken run length")
    repeats = np.where(is_run, codes[:, 3].astype(np.int64) << 8 * digit.clip(0), 1)
    repeats = repeats[: np.searchsorted(np.cumsum(repeats), count) + 1]
    source = np.maximum.accumulate(np.where(is_run, 0, index))[: len(repeats)]
    if repeats.sum() > count:
      raise ValueError("a run is longer than the image")
    codes = np.repeat(codes[source], repeats, axis=0)
  if len(codes) < count:
    raise ValueError(f"{len(codes)} of {count} pixels are there")
  return codes[:count]


def write_radiance(path: str | os.PathLike, hdr: np.ndarray, *, attributes: dict) -> None:
  """Writes [H, W, 3] as RGBE with run lengths, rounded, atomically.

  The attributes stand in the header as comment lines, `# name: value`. Negatives become 0.
  """
  import imagecodecs

  height, width, _ = hdr.shape
  lines = ["#?RADIANCE"]
  lines += [" ".join(f"# {name}: {value}".split()) for name, value in attributes.items()]
  lines += ["FORMAT=32-bit_rle_rgbe", "", f"-Y {height} +X {width}", ""]
  with atomic_path(path) as temp, open(temp, "wb") as file:
    file.write("\n".join(lines).encode())
    for top in range(0, height, _ROWS):
      rows = _rounded(hdr[top : top + _ROWS])
      room = len(rows) * (4 + 8 * width)  # if each byte had a run length of its own
      file.write(imagecodecs.rgbe_encode(rows, header=False, rle=True, out=room))


def _rounded(rgb: np.ndarray) -> np.ndarray:
  """[..., 3] floats -> [..., 3] float32 that RGBE holds exactly (the encoder would truncate).

  Off by at most half a mantissa step, 2^(e - 8) for e the exponent of the pixel's largest
  channel. Negatives become 0, what is above 1.7e38 stays there.
  """
  with np.errstate(over="ignore"):
    rgb = np.clip(np.asarray(rgb, np.float32), 0, _LARGEST)
  largest = rgb.max(axis=-1, keepdims=True)
  exponent = np.maximum(np.frexp(largest)[1], _LEAST_EXPONENT)
  # Where rounding would carry the largest channel to 256, the next exponent holds it.
  exponent += np.rint(np.ldexp(largest, 8 - exponent)) > 255
  step = np.ldexp(np.float32(1), exponent - 8)
  return np.rint(rgb / step) * step
