"""What a set of LDR/HDR images looks like, gathered one image at a time in constant memory."""

import collections
import math

import numpy as np

from input_pipeline.camera.photograph import LUMINANCE
from input_pipeline.datasets.pairs import srgb_to_linear

CLIPPED = 253.5 / 255  # a pixel whose largest channel reaches this has lost radiance
SAMPLES = 250_000  # pixels of an image that are looked at
_FIRST, _LAST, _PER_STOP = -64, 64, 32  # the histogram's range in stops, and its bins a stop
_LEAST = 16  # pixels that a comparison needs


class Statistics:
  """Of images added one by one; `pairs` has one dict for each that has an LDR, see `compare`."""

  def __init__(self):
    self.sizes = collections.Counter()  # (width, height)
    self.least, self.most = math.inf, 0.0
    self._bins = np.zeros((_LAST - _FIRST) * _PER_STOP, np.int64)
    self._black = 0
    self.pairs = []

  def add(self, hdr, ldr=None, gain=1.0):
    """Adds an image.

    Args:
      hdr: [H, W, 3] float32, linear radiance >= 0 in any scale.
      ldr: [H, W, 3] float32 in [0, 1], display-referred, or None.
      gain: brings `hdr` to 1.0 = where the LDR clips.
    """
    height, width = hdr.shape[:2]
    self.sizes[width, height] += 1
    self.least, self.most = min(self.least, float(hdr.min())), max(self.most, float(hdr.max()))
    step = max(1, math.isqrt(math.ceil(height * width / SAMPLES)))
    part = hdr[::step, ::step]
    lit = part[part > 0].astype(np.float64)
    index = ((np.log2(lit) - _FIRST) * _PER_STOP).astype(np.int64)
    self._bins += np.bincount(np.clip(index, 0, self._bins.size - 1), minlength=self._bins.size)
    self._black += part.size - lit.size
    if ldr is not None:
      peak = float(hdr.max()) * float(gain)
      stops = math.log2(peak) if peak > 0 else None
      self.pairs.append(compare(ldr[::step, ::step], part) | {"stops": stops})

  def quantile(self, share):
    """Of all channels' values, within 2 %, between the least and the most."""
    rank = share * (self._black + self._bins.sum())
    if rank <= self._black:
      return max(0.0, self.least)
    index = int(np.searchsorted(np.cumsum(self._bins), rank - self._black))
    value = 2.0 ** ((index + 0.5) / _PER_STOP + _FIRST)
    return min(max(value, self.least), self.most)


def compare(ldr, hdr):
  """How a photo and its ground truth, both [H, W, 3], fit; None where that cannot be told.

  Returns:
    dict of `clipped`, share of the LDR's pixels; `ratio`, median luminance of the HDR over that
    of the linear LDR; of the logarithms of both luminances over pixels that neither clip nor are
    black `correlation`, and `slope`, the HDR's spread over the LDR's (1 where both are linear).
  """
  high, low = ldr.max(axis=-1), ldr.min(axis=-1)
  photo = srgb_to_linear(ldr.astype(np.float64)) @ LUMINANCE
  truth = hdr.astype(np.float64) @ LUMINANCE
  middle = float(np.median(photo))
  result = {
    "clipped": float(np.mean(high >= CLIPPED)),
    "ratio": float(np.median(truth)) / middle if middle > 0 else None,
    "correlation": None,
    "slope": None,
  }
  good = (high < CLIPPED) & (low > 0.02) & (truth > 0)
  if np.count_nonzero(good) >= _LEAST:
    logs = np.log2([photo[good], truth[good]])
    spread = logs.std(axis=1)
    if spread[0] > 0.1:  # stops; a flat photo tells nothing
      flat = spread[1] <= 1e-6
      result["correlation"] = 0.0 if flat else float(np.corrcoef(logs)[0, 1])
      result["slope"] = float(spread[1] / spread[0])
  return result
