"""Greg Ward's shared-exponent pixels (RGBE) and the run lengths of Radiance scanlines."""

import numpy as np

# 2^(e - 136) for each exponent byte; 0 marks a black pixel.
_SCALES = np.ldexp(1.0, np.arange(256) - 136).astype(np.float32)
_SCALES[0] = 0
_LARGEST = 255 * 2.0**119
_SMALLEST = 1e-32
_MIN_WIDTH, _MAX_WIDTH = 8, 32767  # of run-length coded scanlines


def to_floats(rgbe: np.ndarray) -> np.ndarray:
  """[..., 4] uint8 -> [..., 3] float32 = mantissa * 2^(e - 136)."""
  return rgbe[..., :3] * _SCALES[rgbe[..., 3:]]


def from_floats(rgb: np.ndarray) -> np.ndarray:
  """[..., 3] floats -> [..., 4] uint8; rounds: off by at most half a mantissa step.

  The step is 2^(e - 136), e the exponent of the pixel's largest channel. Negatives become 0,
  what is above 4.3e37 stays there.
  """
  with np.errstate(over="ignore"):
    rgb = np.clip(np.asarray(rgb, np.float32), 0, _LARGEST)
  largest = np.maximum(np.maximum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])
  exponent = np.frexp(largest)[1]
  # Where rounding would carry the largest channel to 256, the next exponent holds it.
  exponent += np.rint(np.ldexp(largest, np.minimum(8 - exponent, 127))) > 255
  scale = np.ldexp(np.float32(1), np.minimum(8 - exponent, 127))
  out = np.empty((*largest.shape, 4), np.uint8)
  out[..., :3] = np.rint(rgb * scale[..., None])
  out[..., 3] = exponent + 128
  out[largest < _SMALLEST] = 0
  return out


def decode(data: bytes, lines: int, width: int) -> np.ndarray:
  """Scanlines, in any of the three codings -> [lines, width, 4] uint8.

  Raises:
    ValueError, IndexError: the data end early or contradict themselves.
  """
  head = bytes([2, 2, width >> 8 & 255, width & 255])
  if _MIN_WIDTH <= width <= _MAX_WIDTH and data[:4] == head:
    planes = np.frombuffer(_decode_runs(data, lines, width, head), np.uint8)
    return planes.reshape(lines, 4, width).swapaxes(1, 2)
  return _decode_flat(data, lines * width).reshape(lines, width, 4)


def _decode_runs(data: bytes, lines: int, width: int, head: bytes) -> bytearray:
  """New run lengths: per scanline a head and four planes, each of runs and literals."""
  out = bytearray(lines * width * 4)
  read = write = 0
  for line in range(lines):
    if data[read : read + 4] != head:
      raise ValueError(f"scanline {line} of {lines} is missing")
    read += 4
    end = write + 4 * width
    while write < end:
      count = data[read]
      if count > 128:
        count -= 128
        out[write : write + count] = data[read + 1 : read + 2] * count
        read += 2
      else:
        out[write : write + count] = data[read + 1 : read + 1 + count]
        read += 1 + count
      write += count
    if write != end or read > len(data):
      raise ValueError(f"scanline {line} of {lines} is broken")
  return out


def _decode_flat(data: bytes, count: int) -> np.ndarray:
  """Plain pixels, and the old run lengths: (1, 1, 1, n) repeats the pixel before n times."""
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


def encode(rgbe: np.ndarray) -> bytes:
  """[lines, width, 4] uint8 -> scanlines with new run lengths (flat where width forbids)."""
  _, width, _ = rgbe.shape
  if not _MIN_WIDTH <= width <= _MAX_WIDTH:
    return rgbe.tobytes()
  planes = np.ascontiguousarray(rgbe.swapaxes(1, 2)).reshape(-1)
  start, length, is_run = _segments(planes, width)
  # A scanline's first segment makes room for the four bytes of its head.
  opens_line = start % (4 * width) == 0
  size = np.where(is_run, 2, 1 + length) + 4 * opens_line
  code_at = np.cumsum(size) - size + 4 * opens_line
  out = np.empty(size.sum(), np.uint8)
  heads_at = (code_at[opens_line] - 4)[:, None] + np.arange(4)
  out[heads_at] = [2, 2, width >> 8, width & 255]
  out[code_at] = np.where(is_run, 128 + length, length)
  # What is neither head nor code is payload, in the order of the planes; of a run one byte.
  is_payload = np.ones(len(out), bool)
  is_payload[heads_at] = is_payload[code_at] = False
  is_kept = np.repeat(~is_run, length)
  is_kept[start] = True
  out[is_payload] = planes[is_kept]
  return out.tobytes()


def _segments(values: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """(start, length, is_run) of runs of 4 to 127 equal bytes and literals of 1 to 128.

  No segment crosses a multiple of `width`.
  """
  changes = np.empty(len(values), bool)
  changes[0] = True
  np.not_equal(values[1:], values[:-1], out=changes[1:])
  changes[::width] = True
  start = np.flatnonzero(changes)
  is_run = np.diff(start, append=len(values)) >= 4
  # Short runs beside each other on one line become one literal.
  keep = is_run | np.append(True, is_run[:-1]) | (start % width == 0)
  start, is_run = start[keep], is_run[keep]
  length = np.diff(start, append=len(values))
  longest = np.where(is_run, 127, 128)
  pieces = -(-length // longest)
  piece = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
  longest, is_run = np.repeat(longest, pieces), np.repeat(is_run, pieces)
  offset = piece * longest
  length = np.minimum(np.repeat(length, pieces) - offset, longest)
  return np.repeat(start, pieces) + offset, length, is_run
