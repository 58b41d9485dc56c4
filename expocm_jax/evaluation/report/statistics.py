"""Means over images, their bootstrap intervals, and paired differences against `linear`.

Contract
  A score that is None or NaN (an image without pixels of the region) is left out; `images` says
  how many were there.
  A PSNR above 100 dB, so also the infinite one of identical images, counts as 100 dB in means,
  intervals and differences; `capped` says how often that happened. To pooled values identical
  images add pixels without error; their result is at most 100 dB too.
  Intervals are percentile-bootstrap intervals over groups of scenes (`scene` of an image): images
  of one group are drawn together, because they are not independent. There is none where fewer
  than two groups have a score.
"""

from typing import NamedTuple

import numpy as np

from expocm_jax.evaluation.report.columns import REGIONS, metric_of, score_keys

BASELINE = "linear"
DRAWS = 2000
CONFIDENCE = 0.95
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


class Draws(NamedTuple):
  """The resampled scenes, the same for every score, so that differences are paired."""

  membership: np.ndarray  # [scenes, images], 1 where the image shows the scene
  counts: np.ndarray  # [draws, scenes]: how often a draw holds a scene


def summarize(record: dict, *, draws: int = DRAWS) -> dict:
  """The summary of an evaluation record.

  Returns:
    dict(images, scenes: groups of scenes, bootstrap, notes, regions, scores, paired):
    `regions[region]` = dict(share: of all pixels; images: that have such pixels);
    `scores[protocol][method][key]` = dict(mean, low, high, images, capped), for PSNRs also
    `pooled` = dict(mean, low, high); `paired` alike, without `linear`, of the differences
    method - linear: dict(mean, low, high, images, better), `better` the share of images on
    which the method beats `linear`, None where all are ties. None stands for a number that does
    not exist.
  """
  table = score_table(record)
  resampled = draw_scenes([image["scene"] for image in record["images"]], record["seed"], draws)
  return {
    "images": len(record["images"]),
    "scenes": len(resampled.membership),
    "bootstrap": {"draws": draws, "seed": record["seed"], "confidence": CONFIDENCE},
    "notes": _notes(record),
    "regions": _regions(record),
    "scores": _nested(table, _score_entries(table, record, resampled)),
    "paired": _paired(table, resampled),
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
  for i, image in enumerate(record["images"]):
    for m, method in enumerate(methods):
      for p, protocol in enumerate(protocols):
        scores = image["scores"].get(method, {}).get(protocol, {})
        row = [scores.get(key) for key in keys]
        values[i, p, m] = [np.nan if value is None else value for value in row]
  return ScoreTable(values, protocols, methods, keys)


def draw_scenes(scenes: list[str], seed: int, draws: int) -> Draws:
  """Scenes drawn with replacement, as many as there are."""
  names, index = np.unique(scenes, return_inverse=True)
  membership = (index == np.arange(len(names))[:, None]).astype(float)
  share = np.full(len(names), 1 / len(names))
  counts = np.random.default_rng(seed).multinomial(len(names), share, size=draws)
  return Draws(membership, counts.astype(float))


def ratio(total: np.ndarray, weight: np.ndarray, resampled: Draws) -> np.ndarray:
  """sum(total) / sum(weight) over the images, with its interval.

  Args:
    total, weight: [images, ...], finite; weight >= 0, both 0 where an image has no score.

  Returns:
    [3, ...]: the ratio, its low and its high end; NaN where there is none.
  """
  shape = total.shape[1:]
  per_scene = [resampled.membership @ x.reshape(len(x), -1) for x in (total, weight)]
  with np.errstate(invalid="ignore", divide="ignore"):
    value = per_scene[0].sum(axis=0) / per_scene[1].sum(axis=0)
    drawn = (resampled.counts @ per_scene[0]) / (resampled.counts @ per_scene[1])
  out = np.full((3, *value.shape), np.nan)
  out[0] = value
  tails = 50 * (1 - CONFIDENCE) * np.array([1, -1]) + [0, 100]
  # A draw may miss every scene with a score; such draws are left out.
  sure = (per_scene[1] > 0).sum(axis=0) >= 2
  whole = sure & ~np.isnan(drawn).any(axis=0)
  out[1:, whole] = np.percentile(drawn[:, whole], tails, axis=0)
  if (gaps := sure & ~whole).any():
    out[1:, gaps] = np.nanpercentile(drawn[:, gaps], tails, axis=0)
  return out.reshape(3, *shape)


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
  what = "1 image" if count == 1 else f"{count} images"
  shown = [" ".join(line.split()) for line in left_out[:MAX_REASONS]]
  if more := count - len(shown):
    shown.append(f"and {more} more")
  are = "is" if count == 1 else "are"
  return f"{what} could not be scored and {are} left out: {' | '.join(shown)}"


def _mean(values: np.ndarray, resampled: Draws) -> np.ndarray:
  there = ~np.isnan(values)
  return ratio(np.where(there, values, 0), there.astype(float), resampled)


def _score_entries(table: ScoreTable, record: dict, resampled: Draws) -> np.ndarray:
  """Array [protocols, methods, keys] of dicts."""
  values = capped(table)
  stats, count = _mean(values, resampled), (~np.isnan(values)).sum(axis=0)
  over = (table.values > CAP_DB).sum(axis=0)
  entries = np.empty(stats.shape[1:], object)
  for at in np.ndindex(entries.shape):
    entries[at] = _entry(stats[(..., *at)]) | {"images": int(count[at])}
  for k, key in enumerate(table.keys):
    if not metric_of(key).decibels:
      continue
    pooled = _pooled(table.values[..., k], key.split("/")[1], record, resampled)
    for p, m in np.ndindex(entries.shape[:2]):
      entries[p, m, k]["capped"] = int(over[p, m, k])
      entries[p, m, k]["pooled"] = _entry(pooled[:, p, m])
  return entries


def _pooled(values, region, record, resampled) -> np.ndarray:
  """[3, ...] decibels of the error pooled over the pixels of the region, with its interval."""
  pixels = np.array([image["pixels"][region] for image in record["images"]], float)
  there = ~np.isnan(values)
  weight = np.where(there, pixels[:, None, None], 0)
  error = np.where(there, 10 ** (-np.where(there, values, 0) / 10), 0)
  with np.errstate(divide="ignore"):
    value, low, high = -10 * np.log10(ratio(weight * error, weight, resampled))
  return np.minimum(np.stack([value, high, low]), CAP_DB)


def _paired(table: ScoreTable, resampled: Draws) -> dict:
  if BASELINE not in table.methods:
    return {}
  others = [m for m, method in enumerate(table.methods) if method != BASELINE]
  values = capped(table)
  differences = values[:, :, others] - values[:, :, [table.methods.index(BASELINE)]]
  stats = _mean(differences, resampled)
  count = (~np.isnan(differences)).sum(axis=0)
  sign = np.array([1 if metric_of(key).higher else -1 for key in table.keys])
  with np.errstate(invalid="ignore"):
    better = (differences * sign > 0).sum(axis=0) / count
  differs = ((differences != 0) & ~np.isnan(differences)).any(axis=0)
  entries = np.empty(count.shape, object)
  for at in np.ndindex(entries.shape):
    share = float(better[at]) if differs[at] else None
    entries[at] = _entry(stats[(..., *at)]) | {"images": int(count[at]), "better": share}
  return _nested(table._replace(methods=[table.methods[m] for m in others]), entries)


def _entry(stats: np.ndarray) -> dict:
  names = ("mean", "low", "high")
  return {n: float(x) if np.isfinite(x) else None for n, x in zip(names, stats, strict=True)}


def _nested(table: ScoreTable, entries: np.ndarray) -> dict:
  return {
    protocol: {
      method: {key: entries[p, m, k] for k, key in enumerate(table.keys)}
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
