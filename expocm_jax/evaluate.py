"""Evaluation on fixed test views: `--mode=evaluate`.

PSNR-mu in the `headroom` protocol (both images / headroom, clipped to [0, 1], mu-law, peak 1, no
alignment) of the one-step output beside the linearised input's, over all pixels, over those that
the LDR clipped, and over the rest. Means are over the views that have pixels of the region.
"""

import json
import os
import pathlib

import jax
import numpy as np
import tqdm
from ml_collections import ConfigDict

from expocm_jax import image_io
from expocm_jax.errors import UserError
from expocm_jax.reconstructor import Reconstructor
from expocm_jax.validation import make_compare, mean_score, panels
from input_pipeline import pipeline

REGIONS = ("all", "clipped", "rest")
PROTOCOL = "PSNR-mu `headroom`: both / {headroom:g}, clipped, mu = {mu:g}, peak 1, no alignment"
SHEET_ROWS = 24


def main(
  config: ConfigDict,
  *,
  weights: str | os.PathLike,
  output: str | os.PathLike,
  views: int = 4,
  size: int | None = None,
) -> dict[str, float]:
  """Writes scores.json, scores.md and sheet.png to the folder `output`; prints the table.

  Args:
    config: its `data` and `camera` make the test views; the method is that of the weights.
    weights: a shipped name, a weights file, or a run's folder.
    output: a folder, made if need be.
    views: fixed views of each scene.
    size: side of the views in pixels, divisible by the network's stride; None = `data.crop`.

  Returns:
    Mean scores in dB by name, "output/all" ... "input/rest".

  Raises:
    UserError: the weights, the data or the output folder cannot be used.
  """
  reconstructor = Reconstructor.from_checkpoint(weights)
  method, size = reconstructor.method, size or config.data.crop
  if size % method.stride:
    raise UserError(f"--size: {size} is not divisible by {method.stride}; choose another size")
  folder = pathlib.Path(output)
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(f"{folder}: {error.strerror}; choose a folder that can be written") from error

  compare = jax.jit(make_compare(method))
  rows, sheet = [], []
  records = pipeline.test_records(config, views=views, size=size)
  for index, record in enumerate(tqdm.tqdm(records, unit="view", desc="evaluate")):
    batch = {name: record[name][None] for name in ("ldr", "hdr")}
    key = jax.random.fold_in(jax.random.key(0), index)
    scores, hdr, masks = compare(reconstructor.params, batch, key)
    rows.append({"name": record["name"]} | {k: float(v[0]) for k, v in scores.items()})
    if index % views == 0 and len(sheet) < SHEET_ROWS:
      images = (record["ldr"], masks[0], hdr[0], record["hdr"])
      sheet.append(panels(*(np.asarray(image) for image in images)))
  return _report(folder, rows, np.concatenate(sheet), reconstructor, size)


def _report(folder, rows, sheet, reconstructor, size) -> dict[str, float]:
  """Writes the files of an evaluation and prints its table; returns the means."""
  method = reconstructor.method
  protocol = PROTOCOL.format(headroom=method.headroom, mu=method.mu)
  names = [name for name in rows[0] if name != "name"]
  means = {name: mean_score(np.array([row[name] for row in rows])) for name in names}
  table = [
    f"{len(rows)} views of {size} x {size} pixels; {protocol}; dB",
    "",
    "| | all pixels | clipped by the LDR | the rest |",
    "| --- | --- | --- | --- |",
  ]
  for which, label in (("input", "input, linearised"), ("output", "ExpoCM, one step")):
    cells = " | ".join(f"{means[f'{which}/{region}']:.2f}" for region in REGIONS)
    table.append(f"| {label} | {cells} |")
  gains = (means[f"output/{region}"] - means[f"input/{region}"] for region in REGIONS)
  table.append("| gain | " + " | ".join(f"{gain:+.2f}" for gain in gains) + " |")
  text = "\n".join(table)
  data = {"protocol": protocol, "size": size, "mean": means, "views": rows}
  with image_io.atomic_path(folder / "scores.json") as path:
    pathlib.Path(path).write_text(json.dumps(data, indent=1) + "\n")
  with image_io.atomic_path(folder / "scores.md") as path:
    pathlib.Path(path).write_text(text + "\n")
  image_io.write_png(folder / "sheet.png", sheet)
  print(f"{text}\n\nper view: {folder / 'scores.json'}; pictures: {folder / 'sheet.png'}")
  return means
