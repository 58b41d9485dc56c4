"""Reports of an evaluation: JSON, Markdown, LaTeX, and a page for the browser.

Input is one plain dict, the evaluation record (see `write`), and the folder that holds the images
named in it. `statistics` makes a summary of it with intervals by `bootstrap`, `tables` says what
stands where, `render` writes that as text, `page` as HTML.
"""

import json
import math
import os
import pathlib

from expocm_jax import image_io
from expocm_jax.evaluation.report import page, render, statistics, tables

FILES = ("scores.json", "scores.md", "scores.tex", "report.html")


def write(folder: str | os.PathLike, record: dict) -> dict:
  """Writes `FILES` to `folder`, each whole or not at all.

  Args:
    folder: exists, and holds the image files that the record names.
    record: dict with
      title, dataset, command, created, device: str; versions: {name: version}; seed: int;
      size: [height, width] of all images, or None (whole images);
      peak_nits, headroom, mu: float;
      published_set: the set whose published numbers may stand beside these, see
      `published.rows`; None or absent: there is none;
      protocols: {name: description, with normaliser and peak};
      methods: {name: dict(label, trained, sha256, parameters)};
      main: the method that the page shows;
      cameras: {name: description} of the cameras of the images, "own" of photos from disk;
      reading: "display" or "camera", of the photos that cameras took; None of photos from disk;
      left_out: one line, with the reason, for each image that could not be scored; may be absent;
      images: [dict(name, camera, scene: its group of scenes, whose images are drawn together,
      pixels {region: count}, files {ldr, masks, output, reference: path in the folder},
      scores {method: {protocol: {"metric/region": float or None}}})].

  Returns:
    The summary, see `statistics.summarize`.

  Raises:
    UserError: a file cannot be read or written.
    ValueError: a score of an unknown metric or region.
  """
  folder = pathlib.Path(folder)
  summary = statistics.summarize(record)
  built = tables.build(record, summary)
  if any(cell and cell.best for table in built for row in table.rows for cell in row.cells):
    summary["notes"].append(tables.BOLD_NOTE)
  images = [image | {"scores": _capped(image["scores"])} for image in record["images"]]
  data = finite(record | {"images": images, "summary": summary})
  _write(folder / "scores.json", json.dumps(data, indent=1, allow_nan=False) + "\n")
  _write(folder / "scores.md", _markdown(record, summary, built))
  _write(folder / "scores.tex", render.latex(built))
  with image_io.atomic_path(folder / "report.html") as path, open(path, "w", encoding="utf-8") as f:
    for part in page.parts(folder, record, summary):
      f.write(part)
  return summary


def console(record: dict, summary: dict, *, width: int) -> str:
  """The tables as text for a terminal of that many columns (at least 100).

  The paired differences under every protocol, and the tables by region under a second protocol,
  are left to the files.
  """
  shown = ("all", "published", "regions", "light", "paired_regions", "paired_light")
  built = [table for table in tables.build(record, summary) if table.name in shown]
  texts = [render.console(table, width=max(width, 100)) for table in built]
  return "\n\n".join(texts + [note for note in summary["notes"] if note == statistics.AKYUZ_NOTE])


def _capped(scores: dict) -> dict:
  """Nested scores with PSNRs of at most `CAP_DB`: in JSON null means "no such region"."""
  return {
    key: _capped(value) if isinstance(value, dict) else statistics.cap(key, value)
    for key, value in scores.items()
  }


def finite(value):
  """The same data with None for NaN and infinity, which JSON has not.

  `write` caps PSNRs before, so that an infinite one does not read as a missing one.
  """
  if isinstance(value, dict):
    return {name: finite(item) for name, item in value.items()}
  if isinstance(value, list | tuple):
    return [finite(item) for item in value]
  return None if isinstance(value, float) and not math.isfinite(value) else value


def _markdown(record: dict, summary: dict, built: list[tables.Table]) -> str:
  lines = [f"# {record['title']}", "", f"`{record['command']}`", ""]
  lines += [render.markdown(table) + "\n" for table in built]
  lines += ["## How to read it", ""]
  lines += [f"- `{name}`: {text}" for name, text in record["protocols"].items()]
  lines += [f"- camera {line}" for line in tables.camera_lines(record, mark="`")]
  lines += [f"- {note}" for note in summary["notes"]]
  lines += [f"- {line}" for line in tables.method_lines(record, mark="`")]
  versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
  lines += ["", f"{record['created']}, {record['device']}; {versions}; seed {record['seed']}", ""]
  return "\n".join(lines)


def _write(path: pathlib.Path, text: str) -> None:
  with image_io.atomic_path(path) as temp:
    temp.write_text(text, encoding="utf-8")
