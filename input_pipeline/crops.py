"""Random crops of pairs, on the host: numpy only, every draw from the generator given."""

import numpy as np


def crop_and_flip(pair, rng, *, size, headroom):
  """A random square of a pair, mirrored left to right half of the time.

  Pairs smaller than the square are first extended by reflection.

  Args:
    pair: dict(ldr, hdr, ...), images [H, W, 3] float32; `hdr` relative radiance.
    rng: numpy Generator; the result depends on it and the pair alone.
    size: side of the square, pixels; None keeps the whole image as it is.
    headroom: largest relative radiance kept.

  Returns:
    dict(ldr [size, size, 3] float32 in [0, 1], hdr [size, size, 3] float32 in [0, headroom]).
  """
  if size is None:
    return finish(pair, headroom=headroom)
  ldr, hdr = (reflect_to(pair[key], size) for key in ("ldr", "hdr"))
  top = rng.integers(ldr.shape[0] - size + 1)
  left = rng.integers(ldr.shape[1] - size + 1)
  step = -1 if rng.random() < 0.5 else 1
  window = (slice(top, top + size), slice(left, left + size))
  return finish({"ldr": ldr[window][:, ::step], "hdr": hdr[window][:, ::step]}, headroom=headroom)


def finish(pair, *, headroom):
  """Contiguous float32 arrays in the ranges of a batch: ldr in [0, 1], hdr in [0, headroom]."""
  limits = {"ldr": 1.0, "hdr": headroom}
  return {
    key: np.ascontiguousarray(np.clip(pair[key], 0.0, limit), dtype=np.float32)
    for key, limit in limits.items()
  }


def reflect_to(image, size):
  """`image` [H, W, 3] extended by reflection, evenly on both sides, to at least size x size."""
  missing = [max(0, size - side) for side in image.shape[:2]]
  if not any(missing):
    return image
  widths = [(m // 2, m - m // 2) for m in missing] + [(0, 0)]
  return np.pad(image, widths, mode="reflect")
