"""Evaluation on fixed test views: `--mode=evaluate`.

PSNR-mu in the `headroom` protocol (both images / headroom, clipped to [0, 1], mu-law, peak 1, no
alignment) of the one-step output beside the linearised input's, over all pixels, over those that
the LDR clipped, and over the rest. It is given in two ways: the mean of the views' decibels (of
the views that have pixels of the region), and the decibels of the error pooled over all pixels of
all views. The first counts a view that is nearly perfect as much as a hopeless one.
"""

import json
import math
import os
import pathlib

import jax
import numpy as np
import tqdm
from ml_collections import ConfigDict

from expocm_jax import image_io
from expocm_jax.errors import UserError
from expocm_jax.reconstruct import output_folder
from expocm_jax.reconstructor import Reconstructor
from expocm_jax.validation import CLIPPED, make_compare, mean_score, panels
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
  folder = output_folder(output)

  compare = jax.jit(make_compare(method))
  rows, sheet = [], []
  records = pipeline.test_records(config, views=views, size=size)
  total = views * len(pipeline.make_source(config, "test")[0])
  for index, record in enumerate(tqdm.tqdm(records, total=total, unit="view")):
    batch = {name: record[name][None] for name in ("ldr", "hdr")}
    key = jax.random.fold_in(jax.random.key(0), index)
    scores, hdr, masks = compare(reconstructor.params, batch, key)
    clipped = int(np.sum(np.max(record["ldr"], axis=-1) >= CLIPPED))
    pixels = {"all": size**2, "clipped": clipped, "rest": size**2 - clipped}
    scores = {name: float(value[0]) for name, value in scores.items()}
    rows.append({"name": record["name"], "pixels": pixels, "psnr_mu": scores})
    if index % views == 0 and len(sheet) < SHEET_ROWS:
      images = (record["ldr"], masks[0], hdr[0], record["hdr"])
      sheet.append(panels(*(np.asarray(image) for image in images)))
  return _report(folder, rows, np.concatenate(sheet), reconstructor, size)


def mean_scores(rows: list[dict]) -> dict[str, float]:
  """Mean of the views' decibels, by "output/all" ... "input/rest"."""
  names = rows[0]["psnr_mu"]
  return {name: mean_score(np.array([row["psnr_mu"][name] for row in rows])) for name in names}


def pooled_scores(rows: list[dict]) -> dict[str, float]:
  """Decibels of the mean square error over all pixels of all views, by the same names."""
  pooled = {}
  for name in rows[0]["psnr_mu"]:
    region = name.split("/")[1]
    there = [(row["pixels"][region], row["psnr_mu"][name]) for row in rows]
    there = [(pixels, score) for pixels, score in there if pixels]
    total = sum(pixels for pixels, _ in there)
    error = sum(pixels * 10.0 ** (-score / 10.0) for pixels, score in there)
    pooled[name] = -10.0 * math.log10(error / total) if total and error else math.nan
  return pooled


def table(title: str, scores: dict[str, float]) -> str:
  """Input, output and gain over the three regions as a Markdown table."""
  lines = [f"| {title} | all pixels | clipped by the LDR | the rest |", "| --- | --- | --- | --- |"]
  for which, label in (("input", "input, linearised"), ("output", "ExpoCM, one step")):
    cells = " | ".join(f"{scores[f'{which}/{region}']:.2f}" for region in REGIONS)
    lines.append(f"| {label} | {cells} |")
  gains = (scores[f"output/{region}"] - scores[f"input/{region}"] for region in REGIONS)
  return "\n".join([*lines, "| gain | " + " | ".join(f"{gain:+.2f}" for gain in gains) + " |"])


def _report(folder, rows, sheet, reconstructor, size) -> dict[str, float]:
  """Writes the files of an evaluation and prints its tables; returns the means."""
  method = reconstructor.method
  protocol = PROTOCOL.format(headroom=method.headroom, mu=method.mu)
  means, pooled = mean_scores(rows), pooled_scores(rows)
  text = "\n\n".join([
    f"{len(rows)} views of {size} x {size} pixels; {protocol}; dB",
    table("mean over views", means),
    table("pooled over pixels", pooled),
  ])  # fmt: skip
  data = {"protocol": protocol, "size": size, "mean": means, "pooled": pooled, "views": rows}
  with image_io.atomic_path(folder / "scores.json") as path:
    pathlib.Path(path).write_text(json.dumps(_finite(data), indent=1, allow_nan=False) + "\n")
  with image_io.atomic_path(folder / "scores.md") as path:
    pathlib.Path(path).write_text(text + "\n")
  image_io.write_png(folder / "sheet.png", sheet)
  print(f"{text}\n\nper view: {folder / 'scores.json'}; pictures: {folder / 'sheet.png'}")
  return means


def _finite(value):
  """The same data with null, which JSON has, for NaN and infinity, which it has not."""
  if isinstance(value, dict):
    return {name: _finite(item) for name, item in value.items()}
  if isinstance(value, list):
    return [_finite(item) for item in value]
  return None if isinstance(value, float) and not math.isfinite(value) else value
