"""Means over images, their bootstrap intervals, and paired differences against `linear`.

Images of one camera make one summary: photos of several cameras are never averaged.

Contract
  A score that is None or NaN (an image without pixels of the region) is left out; `images` says
  how many were given.
  A PSNR above 100 dB, so also the infinite one of identical images, counts as 100 dB in means,
  intervals and differences; `capped` says how often that happened. To pooled values identical
  images add pixels without error; their result is at most 100 dB too.
  Intervals are those of `bootstrap`, over groups of scenes (`scene` of an image).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from expocm_jax.evaluation.report import bootstrap
from expocm_jax.evaluation.report.bootstrap import CONFIDENCE, DRAWS, Draws
from expocm_jax.evaluation.report.columns import REGIONS, metric_of, score_keys

BASELINE = "linear"
CAP_DB = 100.0
MAX_REASONS = 5  # of images that are left out, told in the notes
NOTES = (
  "mean over images; images without pixels of a region are left out",
  f"intervals: {CONFIDENCE:.0%} percentile bootstrap, drawing groups of scenes, {DRAWS} draws",
  f"a PSNR above {CAP_DB:g} dB (identical images: infinite) counts as {CAP_DB:g} dB",
  "pooled: decibels of the mean square error over all pixels of the region",
)
TIES_NOTE = (
  f"share of images better: ties count as not better; – where all images tie with {BASELINE}"
)
AKYUZ_NOTE = (
  "akyuz: its scale is a display's, not the photo's, so only protocols that align the prediction "
  "(+gain, +crf, singlehdr-p3) say something about it"
)


class ScoreTable(NamedTuple):
  """All scores of a record as one array."""

  values: np.ndarray  # [images, protocols, methods, keys] float64; NaN = none; may hold inf
  protocols: list[str]
  methods: list[str]
  keys: list[str]


def summarize(record: dict) -> dict:
  """The summary of an evaluation record.

  Returns:
    dict(images, scenes: groups of scenes, bootstrap, notes, cameras):
    `cameras[camera]` = dict(regions, scores, paired) of the camera's images:
    `regions[region]` = dict(share: of all pixels; images: that have such pixels);
    `scores[protocol][method][key]` = dict(mean, low, high, images), for PSNRs also `capped` and
    `pooled` = dict(mean, low, high), for metrics with a target also `distance`, the same of the
    absolute distance from it; `paired` alike, without `linear`, of the differences
    method - linear: dict(mean, low, high, images, better), `better` the share of images on
    which the method beats `linear`, None where all are ties. None stands for a number that does
    not exist.
  """
  images = record["images"]
  return {
    "images": len(images),
    "scenes": len({image["scene"] for image in images}),
    "bootstrap": {"draws": DRAWS, "seed": record["seed"], "confidence": CONFIDENCE},
    "notes": _notes(record),
    "cameras": {
      camera: _summary(record | {"images": [i for i in images if i["camera"] == camera]})
      for camera in record["cameras"]
    },
  }


def _summary(record: dict) -> dict:
  """Of a record of one camera: dict(regions, scores, paired), see `summarize`."""
  table, groups = score_table(record), [image["scene"] for image in record["images"]]
  draws = bootstrap.draw_groups(groups, seed=record["seed"], draws=DRAWS)
  return {
    "regions": _regions(record),
    "scores": _scores(table, record, draws),
    "paired": _paired(table, draws) if BASELINE in table.methods else {},
  }


def score_table(record: dict) -> ScoreTable:
  """Gathers `record["images"][...]["scores"]`."""
  protocols, methods = list(record["protocols"]), list(record["methods"])
  keys = score_keys({
    key
    for image in record["images"]
    for by_protocol in image["scores"].values()
    for scores in by_protocol.values()
    for key in scores
  })  # fmt: skip
  values = np.full((len(record["images"]), len(protocols), len(methods), len(keys)), np.nan)
  for i, p, m in np.ndindex(values.shape[:3]):
    by_protocol = record["images"][i]["scores"].get(methods[m], {})
    scores = by_protocol.get(protocols[p], {})
    values[i, p, m] = [np.nan if (x := scores.get(key)) is None else x for key in keys]
  return ScoreTable(values, protocols, methods, keys)


def cap(key: str, value: float | None) -> float | None:
  """The score as it counts in means: a PSNR is at most 100 dB."""
  return CAP_DB if value is not None and metric_of(key).decibels and value > CAP_DB else value


def capped(table: ScoreTable) -> np.ndarray:
  """The values with PSNRs of at most 100 dB, and NaN for all else that is not finite."""
  decibels = np.array([metric_of(key).decibels for key in table.keys], bool)
  values = np.where(decibels, np.minimum(table.values, CAP_DB), table.values)
  return np.where(np.isfinite(values), values, np.nan)


def _notes(record: dict) -> list[str]:
  methods, notes = record["methods"], list(NOTES)
  if left_out := record.get("left_out"):
    notes.insert(0, _left_out_note(left_out))
  if BASELINE in methods and len(methods) > 1:
    notes.append(TIES_NOTE)
  if "akyuz" in methods and not methods["akyuz"]["trained"]:
    notes.append(AKYUZ_NOTE)
  return notes


def _left_out_note(left_out: list[str]) -> str:
  count = len(left_out)
  what = "1 image could not be scored and is" if count == 1 else (
    f"{count} images could not be scored and are")  # fmt: skip
  shown = [" ".join(line.split()) for line in left_out[:MAX_REASONS]]
  if more := count - len(shown):
    shown.append(f"and {more} more")
  return f"{what} left out: {' | '.join(shown)}"


def _scores(table: ScoreTable, record: dict, draws: Draws) -> dict:
  values = capped(table)
  stats, count = bootstrap.mean(values, draws), (~np.isnan(values)).sum(axis=0)
  over = (table.values > CAP_DB).sum(axis=0)
  pooled = {
    k: _pooled(table.values[..., k], key.split("/")[1], record, draws)
    for k, key in enumerate(table.keys)
    if metric_of(key).decibels
  }
  distance = {
    k: bootstrap.mean(metric_of(key).shortfall(values[..., k]), draws)
    for k, key in enumerate(table.keys)
    if metric_of(key).has_target
  }

  def entry(p: int, m: int, k: int) -> dict:
    result = _entry(stats[:, p, m, k]) | {"images": int(count[p, m, k])}
    if k in pooled:
      result |= {"capped": int(over[p, m, k]), "pooled": _entry(pooled[k][:, p, m])}
    if k in distance:
      result["distance"] = _entry(distance[k][:, p, m])
    return result

  return _nested(table, entry)


def _pooled(values: np.ndarray, region: str, record: dict, draws: Draws) -> np.ndarray:
  """[3, ...] decibels of the error pooled over the pixels of the region, with its interval."""
  pixels = np.array([image["pixels"][region] for image in record["images"]], float)
  given = ~np.isnan(values)
  weight = np.where(given, pixels[:, None, None], 0)
  error = np.where(given, 10 ** (-np.where(given, values, 0) / 10), 0)
  with np.errstate(divide="ignore"):
    value, low, high = -10 * np.log10(bootstrap.ratio(weight * error, weight, draws))
  return np.minimum(np.stack([value, high, low]), CAP_DB)


def _paired(table: ScoreTable, draws: Draws) -> dict:
  others = [m for m, method in enumerate(table.methods) if method != BASELINE]
  values, linear = capped(table), table.methods.index(BASELINE)
  differences = values[:, :, others] - values[:, :, [linear]]
  stats, count = bootstrap.mean(differences, draws), (~np.isnan(differences)).sum(axis=0)
  shortfalls = _shortfalls(table, values)
  gains = shortfalls[:, :, [linear]] - shortfalls[:, :, others]
  better, worse = ((sign * gains > 0).sum(axis=0) for sign in (1, -1))

  def entry(*at: int) -> dict:
    share = float(better[at] / count[at]) if better[at] or worse[at] else None
    return _entry(stats[(..., *at)]) | {"images": int(count[at]), "better": share}

  return _nested(table._replace(methods=[table.methods[m] for m in others]), entry)


def _shortfalls(table: ScoreTable, values: np.ndarray) -> np.ndarray:
  """`Metric.shortfall` of values [..., keys]."""
  out = np.empty_like(values)
  for k, key in enumerate(table.keys):
    out[..., k] = metric_of(key).shortfall(values[..., k])
  return out


def _entry(stats: np.ndarray) -> dict:
  names = ("mean", "low", "high")
  return {n: float(x) if np.isfinite(x) else None for n, x in zip(names, stats, strict=True)}


def _nested(table: ScoreTable, entry: Callable[[int, int, int], dict]) -> dict:
  """entry(protocol, method, key), called with their numbers, as dicts by name."""
  return {
    protocol: {
      method: {key: entry(p, m, k) for k, key in enumerate(table.keys)}
      for m, method in enumerate(table.methods)
    }
    for p, protocol in enumerate(table.protocols)
  }


def _regions(record: dict) -> dict[str, dict]:
  counts = [image["pixels"] for image in record["images"]]
  total = max(sum(count["all"] for count in counts), 1)
  return {
    region: {
      "share": sum(count[region] for count in counts) / total,
      "images": sum(count[region] > 0 for count in counts),
    }
    for region in REGIONS
  }
