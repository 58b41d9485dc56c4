"""What a user needs to know of a dataset before training: the work of `--mode=inspect`."""

import numpy as np
import tqdm

from expocm_jax.errors import UserError
from input_pipeline import source as origin
from input_pipeline.datasets import catalogue
from input_pipeline.image_statistics import Statistics

UNRELATED = 0.5  # correlation below which two images hardly show the same
ENCODED = 0.65  # slope below which radiance looks gamma-encoded (1/2.2 = 0.45)
USUAL_RATIO = (0.25, 4.0)
_PAIRED = {"name": "by file names", "stem": "by stem", "order": "by sorted order"}
_NAMED = 5  # examples that a warning names


def main(config, *, split="all", limit=None) -> int:
  """Inspects the data of `config` and prints the report; the number of unreadable records."""
  report = inspect(config, split=split, limit=limit)
  print("\n".join(report_lines(report)))
  return len(report["failures"])


def inspect(config, *, split="all", limit=None) -> dict:
  """Reads the data of `config`, with a progress bar on standard error.

  Args:
    config: as in `configs/default.py`; `data` is used.
    split: "train", "validation", "test" or "all".
    limit: at most so many records, evenly spread; None or 0 = all.

  Returns:
    dict of `dataset`, `root`, `split`, `layout`, `pairing` (None where there are no pairs on
    disk), `splits` {split: records, None where there is no such split}, `records`, `read`,
    `sizes` {(width, height): images}, `hdr` {min, median, p99, max} in the files' scale,
    `clipped`, `ratio` and `stops` {mean, median, min, max} over pairs (None without pairs),
    `failures` (one line each) and `warnings`.

  Raises:
    UserError: the source cannot be opened: what `pipeline.make_source` finds wrong.
  """
  data = config.data
  if data.source == "procedural" and split == "all":
    split = "train"
  source, _ = origin.make_source(config, split)
  indices = range(len(source))
  if limit and limit < len(source):
    indices = np.linspace(0, len(source) - 1, limit).round().astype(int).tolist()
  statistics, names, failures = Statistics(), [], []
  for index in tqdm.tqdm(indices, desc="inspect", unit="image"):
    try:
      record = _read(source, index)
      if "ldr" in record:
        names.append(record["name"])
      statistics.add(record["hdr"], record.get("ldr"), record.get("gain", 1.0))
    except UserError as error:
      failures.append(" ".join(str(error).split()))
  report = {
    "dataset": origin.dataset_name(config),
    "root": str(data.root),
    "split": split,
    "layout": getattr(source, "layout", None),
    "pairing": getattr(source, "pairing", None),
    "splits": {name: _count(config, name) for name in catalogue.SPLITS},
    "records": len(source),
    "read": len(indices) - len(failures),
    "failures": failures,
  }
  return report | _summary(statistics) | {"warnings": _warnings(report, statistics, names)}


def _read(source, index):
  if hasattr(source, "read"):
    return source.read(index)
  scene = source[index]
  return {"hdr": scene["radiance"], "name": scene["name"]}


def _count(config, split):
  try:
    return len(origin.make_source(config, split)[0])
  except UserError:
    return None


def _column(statistics, name):
  return np.array([pair[name] for pair in statistics.pairs if pair[name] is not None])


def _summary(statistics):
  """The numbers of the report; None where nothing was read."""
  hdr = None
  if statistics.sizes:
    hdr = {
      "min": statistics.least,
      "median": statistics.quantile(0.5),
      "p99": statistics.quantile(0.99),
      "max": statistics.most,
    }
  spread = {name: _spread(_column(statistics, name)) for name in ("clipped", "ratio", "stops")}
  return {"sizes": dict(statistics.sizes.most_common()), "hdr": hdr, **spread}


def _spread(values):
  if not values.size:
    return None
  how = {"mean": np.mean, "median": np.median, "min": np.min, "max": np.max}
  return {name: float(function(values)) for name, function in how.items()}


def _warnings(report, statistics, names):
  """What looks wrong, one line each, with its remedy."""
  if not statistics.sizes:
    return ["no image could be read"]
  found = []
  if "order" in (report["pairing"] or ""):
    found.append("paired by sorted order, not by name: look at a few pairs before training")
  if statistics.most <= 0:
    found.append("the HDR images are black")
  if not statistics.pairs:
    return found
  rows = list(zip(names, statistics.pairs, strict=True))

  def named(problem, test, remedy):
    bad = [name for name, pair in rows if test(pair)]
    if bad:
      more = ", ..." if len(bad) > _NAMED else ""
      examples = ", ".join(bad[:_NAMED]) + more
      found.append(f"{len(bad)} of {len(rows)} pairs: {problem} ({examples}); {remedy}")

  named(
    "photo and ground truth hardly show the same",
    lambda pair: pair["correlation"] is not None and pair["correlation"] < UNRELATED,
    "check the pairing",
  )
  named(
    "the photo is clipped nearly throughout",
    lambda pair: pair["clipped"] > 0.9,
    "there is little to learn from it",
  )
  named(
    "the photo clips but the ground truth holds nothing above its clip",
    lambda pair: pair["clipped"] > 0.02 and pair["stops"] is not None and pair["stops"] < 0.05,
    "is it a linearised photo?",
  )
  slopes, ratios = _column(statistics, "slope"), _column(statistics, "ratio")
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
  if not any(pair["clipped"] for pair in statistics.pairs):
    found.append("no LDR pixel is clipped: there is nothing to restore in highlights")
  return found


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
