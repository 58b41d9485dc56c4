"""What a user needs to know of a dataset before training: the work of `--mode=inspect`."""

import collections
import math

import numpy as np
import tqdm

from expocm_jax.colorimetry import CLIPPED, LUMA, srgb_to_linear
from expocm_jax.errors import UserError
from input_pipeline.datasets import catalogue
from input_pipeline.source import dataset_name, make_source

UNRELATED = 0.5  # correlation below which two images hardly show the same
ENCODED = 0.65  # slope below which radiance looks gamma-encoded (1/2.2 = 0.45)
USUAL_RATIO = (0.25, 4.0)
_PAIRED = {"name": "by file names", "stem": "by stem", "order": "by sorted order"}
_NAMED = 5  # examples that a warning names
_SAMPLES = 250_000  # pixels of an image that are looked at
_FIRST, _LAST, _PER_STOP = -64, 64, 32  # the histogram's range in stops, and its bins a stop
_LEAST = 16  # pixels that a comparison needs
_CHECKS = (  # of a pair
  (
    lambda pair: pair["correlation"] is not None and pair["correlation"] < UNRELATED,
    "photo and ground truth hardly show the same ({}); check the pairing",
  ),
  (
    lambda pair: pair["clipped"] > 0.9,
    "the photo is clipped nearly throughout ({}); there is little to learn from it",
  ),
  (
    lambda pair: pair["clipped"] > 0.02 and pair["stops"] is not None and pair["stops"] < 0.05,
    "the photo clips but the ground truth holds nothing above its clip ({}); is it a linearised "
    "photo?",
  ),
)


def main(config, *, limit=None) -> int:
  """Inspects the data of `config` and prints the report; the number of unreadable records."""
  report = inspect(config, limit=limit)
  print("\n".join(report_lines(report)))
  return len(report["failures"])


def inspect(config, *, limit=None) -> dict:
  """Reads the data of `config`, with a progress bar on standard error.

  Args:
    config: as in `configs/default.py`; `data` is used.
    limit: at most so many records, evenly spread; None = all.

  Returns:
    dict of `dataset`, `root`, `split` ("all", or "train" of procedural scenes), `layout`,
    `pairing` (None where there are no pairs on disk), `splits` {split: records, None where there
    is no such split}, `records`, `read`, `sizes` {(width, height): images}, `hdr` {min, median,
    p99, max} in the files' scale, `clipped`, `ratio` and `stops` {mean, median, min, max} over
    pairs (None without pairs), `failures` (one line each) and `warnings`.

  Raises:
    UserError: the source cannot be opened: what `source.make_source` finds wrong.
  """
  split = "train" if config.data.source == "procedural" else "all"
  source, _ = make_source(config, split)
  read = getattr(source, "read", source.__getitem__)
  indices = range(len(source))
  if limit and limit < len(source):
    indices = np.linspace(0, len(source) - 1, limit).round().astype(int).tolist()
  statistics, failures = Statistics(), []
  for index in tqdm.tqdm(indices, desc="inspect", unit="image"):
    try:
      statistics.add(read(index))
    except UserError as error:
      failures.append(" ".join(str(error).split()))
  pairing = getattr(source, "pairing", None)
  return {
    "dataset": dataset_name(config),
    "root": str(config.data.root),
    "split": split,
    "layout": getattr(source, "layout", None),
    "pairing": pairing,
    "splits": {name: _count(config, name) for name in catalogue.SPLITS},
    "records": len(source),
    "read": len(indices) - len(failures),
    "sizes": dict(statistics.sizes.most_common()),
    "hdr": statistics.radiance(),
    **{name: statistics.spread(name) for name in ("clipped", "ratio", "stops")},
    "failures": failures,
    "warnings": _warnings(statistics, by_order="order" in (pairing or "")),
  }


def _count(config, split):
  try:
    return len(make_source(config, split)[0])
  except UserError:
    return None


def _warnings(statistics, *, by_order):
  """What looks wrong, one line each, with its remedy."""
  if not statistics.sizes:
    return ["no image could be read"]
  found, pairs = [], statistics.pairs
  if by_order:
    found.append("paired by sorted order, not by name: look at a few pairs before training")
  if statistics.most <= 0:
    found.append("the HDR images are black")
  if not pairs:
    return found
  for is_bad, problem in _CHECKS:
    bad = [pair["name"] for pair in pairs if is_bad(pair)]
    if bad:
      examples = ", ".join(bad[:_NAMED] + ["..."] * (len(bad) > _NAMED))
      found.append(f"{len(bad)} of {len(pairs)} pairs: {problem.format(examples)}")
  slopes, ratios = statistics.column("slope"), statistics.column("ratio")
  if slopes.size and np.median(slopes) < ENCODED:
    found.append(
      f"the HDR looks gamma-encoded: its contrast is {np.median(slopes):.2f} of the linear LDR's; "
      "give linear radiance"
    )
  if statistics.most <= 1.0:
    found.append("all HDR values lie within [0, 1]: is it tone-mapped or normalised?")
  if ratios.size and not USUAL_RATIO[0] <= np.median(ratios) <= USUAL_RATIO[1]:
    found.append(
      f"exposure ratio {np.median(ratios):.3g}, far from 1: the HDR has a scale of its own; it is "
      "brought to 1.0 = the photo's clip, pair by pair"
    )
  if not any(pair["clipped"] for pair in pairs):
    found.append("no LDR pixel is clipped: there is nothing to restore in highlights")
  return found


class Statistics:
  """What a set of images looks like, gathered one image at a time in constant memory.

  `pairs` has a dict for each that has an LDR: `name`, `stops` and what `compare` gives.
  """

  def __init__(self):
    self.sizes = collections.Counter()  # (width, height)
    self.least, self.most = math.inf, 0.0
    self._bins = np.zeros((_LAST - _FIRST) * _PER_STOP, np.int64)
    self._black = 0
    self.pairs = []

  def add(self, record):
    """Adds a record.

    Args:
      record: dict of `hdr` [H, W, 3] float, linear radiance >= 0 in any scale; of a pair also
        `ldr` [H, W, 3] float32 in [0, 1], display-referred, `name`, and `gain`, which brings `hdr`
        to 1.0 = where the LDR clips.
    """
    hdr = record["hdr"]
    height, width = hdr.shape[:2]
    self.sizes[width, height] += 1
    self.least, self.most = min(self.least, float(hdr.min())), max(self.most, float(hdr.max()))
    step = max(1, math.isqrt(math.ceil(height * width / _SAMPLES)))
    part = hdr[::step, ::step]
    lit = part[part > 0].astype(np.float64)
    index = ((np.log2(lit) - _FIRST) * _PER_STOP).astype(np.int64)
    self._bins += np.bincount(np.clip(index, 0, self._bins.size - 1), minlength=self._bins.size)
    self._black += part.size - lit.size
    if "ldr" in record:
      peak = float(hdr.max()) * float(record["gain"])
      pair = {"name": record["name"], "stops": math.log2(peak) if peak > 0 else None}
      self.pairs.append(pair | compare(record["ldr"][::step, ::step], part))

  def quantile(self, share):
    """Of all channels' values, within 2 %, between the least and the most."""
    rank = share * (self._black + self._bins.sum())
    if rank <= self._black:
      return max(0.0, self.least)
    index = int(np.searchsorted(np.cumsum(self._bins), rank - self._black))
    value = 2.0 ** ((index + 0.5) / _PER_STOP + _FIRST)
    return min(max(value, self.least), self.most)

  def radiance(self):
    """{min, median, p99, max} of the HDR images; None without any."""
    if not self.sizes:
      return None
    median, p99 = self.quantile(0.5), self.quantile(0.99)
    return {"min": self.least, "median": median, "p99": p99, "max": self.most}

  def column(self, name):
    """Of the pairs, where it is known: float64 [N]."""
    return np.array([pair[name] for pair in self.pairs if pair[name] is not None])

  def spread(self, name):
    """{mean, median, min, max} of a column; None without values."""
    values = self.column(name)
    functions = {"mean": np.mean, "median": np.median, "min": np.min, "max": np.max}
    return {key: float(f(values)) for key, f in functions.items()} if values.size else None


def compare(ldr, hdr):
  """How a photo and its ground truth, both [H, W, 3], fit; None where that cannot be told.

  Returns:
    dict of `clipped`, share of the LDR's pixels; `ratio`, median luminance of the HDR over that
    of the linear LDR; of the logarithms of both luminances over pixels that neither clip nor are
    black `correlation`, and `slope`, the HDR's spread over the LDR's (1 where both are linear).
  """
  high, low = ldr.max(axis=-1), ldr.min(axis=-1)
  photo = srgb_to_linear(ldr.astype(np.float64)) @ LUMA
  truth = hdr.astype(np.float64) @ LUMA
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


def report_lines(report) -> list[str]:
  """The report as lines for the terminal."""
  what = "pairs" if report["pairing"] or report["clipped"] else "HDR images"
  at = f" at {report['root']}" if report["root"] else ""
  lines = [f"{report['dataset']}{at}, split {report['split']}: {report['records']} {what}"]
  if report["pairing"]:
    paired = " and ".join(_PAIRED[pairing] for pairing in report["pairing"].split(" and "))
    lines.append(f"layout: {report['layout']}, paired {paired}")
  counts = (f"{name} {'-' if n is None else n}" for name, n in report["splits"].items())
  lines.append(f"splits: {', '.join(counts)}")
  lines.append(f"read: {report['read']}, not readable: {len(report['failures'])}")
  if report["hdr"]:
    lines += _numbers(report)
  lines += [f"cannot be read: {failure}" for failure in report["failures"]]
  return lines + [f"warning: {warning}" for warning in report["warnings"]]


def _numbers(report):
  (common, count), *_ = report["sizes"].items()
  areas = sorted(report["sizes"], key=lambda size: size[0] * size[1])
  size = lambda pair: f"{pair[0]}x{pair[1]}"
  sizes = f"sizes: {size(common)} ({count} of {report['read']})"
  if len(areas) > 1:
    sizes += f", from {size(areas[0])} to {size(areas[-1])}"
  hdr = ", ".join(f"{name} {value:.4g}" for name, value in report["hdr"].items())
  lines = [sizes, f"HDR values as stored: {hdr}"]
  if not report["clipped"]:
    return [*lines, "LDR: none on disk; photos are made on the fly"]
  clipped = report["clipped"]
  lines.append(
    f"clipped LDR pixels: {clipped['mean']:.2%}"
    f" ({clipped['min']:.2%} to {clipped['max']:.2%} of a picture)"
  )
  for name, label in (
    ("ratio", "exposure ratio, median(HDR) / median(linear LDR)"),
    ("stops", "brightest radiance above the LDR's clip, stops"),
  ):
    if value := report[name]:
      lines.append(f"{label}: {value['median']:.3g} ({value['min']:.3g} to {value['max']:.3g})")
  return lines
