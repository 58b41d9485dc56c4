"""The picture of an evaluation: where the method gained most over the photo, where least."""

import pathlib

import numpy as np
from PIL import Image

from expocm_jax import image_io
from expocm_jax.inference.preview import preview_sheet

BEST, MIDDLE, WORST = 3, 2, 3  # images shown of each kind
BASELINE, METRIC = "linear", "psnr_mu/all"
QUALITY = 90  # of the JPEG


def choose(record: dict) -> list[tuple[dict, float]]:
  """Images and their gains over the photo in dB, highest first; all where there are few.

  The gain is in METRIC under the first protocol; an image without it is never chosen.
  """
  protocol = next(iter(record["protocols"]))
  rows = []
  for image in record["images"]:
    scores = [image["scores"][name][protocol].get(METRIC) for name in (record["main"], BASELINE)]
    if None not in scores and np.isfinite(scores).all():
      rows.append((image, scores[0] - scores[1]))
  rows.sort(key=lambda row: -row[1])
  if len(rows) <= BEST + MIDDLE + WORST:
    return rows
  middle = (len(rows) - MIDDLE) // 2
  return rows[:BEST] + rows[middle : middle + MIDDLE] + rows[-WORST:]


def write(folder: pathlib.Path, record: dict) -> None:
  """Writes `examples.jpg` to `folder`: a row for each chosen image, none where none has a gain.

  A row has the photo with the gain, the output at 0, -2 and -4 EV, and the ground truth so.

  Raises UserError when a file cannot be read or written.
  """
  rows, several = [], len(record["cameras"]) > 1
  for image, gain in choose(record):
    name = image["name"] + (f", {image['camera']}" if several else "")
    files = {name: folder / path for name, path in image["files"].items()}
    ldr = image_io.read_ldr(files["ldr"])
    output, truth = (image_io.read_hdr(files[name]) for name in ("output", "reference"))
    rows.append(preview_sheet(ldr, output, truth, photo=f"{gain:+.1f} dB  {name}"))
  if not rows:
    return
  width = max(row.shape[1] for row in rows)
  padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
  with image_io.atomic_path(folder / "examples.jpg") as path:
    Image.fromarray(np.concatenate(padded)).save(path, "JPEG", quality=QUALITY)
