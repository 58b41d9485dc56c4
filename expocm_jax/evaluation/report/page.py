"""The page of an evaluation: one HTML file that needs nothing but a browser.

The pictures are embedded as HDR data and exposed in the browser. A channel x of relative radiance
is held as the 16-bit code round(96 log2(x + 2^-20)) + 1920, black as 0, so every channel, however
dark beside the others, is off by at most 1/256 of itself (and 4e-9). The low and the high bytes are
the colours of two lossless WebP pictures: opaque and without a profile they reach the script bit
for bit, and the low bytes, whose differences wrap around, compress a quarter better than as PNG.
"""

import base64
import html
import io
import json
import pathlib
import re
from collections.abc import Iterator
from importlib import resources

import numpy as np
from PIL import Image

from expocm_jax import image_io
from expocm_jax.evaluation.report import published, statistics, tables
from expocm_jax.evaluation.report.columns import PUBLISHED_ONLY, REGIONS
from expocm_jax.ops import color

MAX_SIDE = 512  # pixels of the long side of an embedded picture
MAX_PICTURES = 200
STEPS = 96  # codes of a doubling of radiance
STOPS_BELOW = 20  # of the input's white: where the codes turn from logarithmic to linear


def parts(folder: pathlib.Path, record: dict, summary: dict) -> Iterator[str]:
  """The text of the page, piece by piece: one picture is in memory at a time.

  Raises:
    UserError: an image file of the record cannot be read.
  """
  shown = [i for i, image in enumerate(record["images"]) if image.get("files")][:MAX_PICTURES]
  fills = {
    "title": html.escape(record["title"]),
    "style": _asset("page.css"),
    "data": _script_json(_data(record, summary, len(shown))),
    "script": "\n".join(_asset(name) for name in ("pixels.js", "page.js", "cards.js")),
  }
  before, after = _asset("page.html").split("{{pictures}}")
  yield _filled(before, fills)
  for index in shown:
    packed = _script_json(pack(folder, record["images"][index]["files"]))
    yield f'<script type="application/json" id="picture-{index}">{packed}</script>\n'
  yield _filled(after, fills)


def pack(folder: pathlib.Path, files: dict[str, str]) -> dict:
  """The four images of a record's entry as text: base64 of lossless WebP.

  Returns:
    dict(size [h, w], ldr, masks: text; output, reference: [low bytes, high bytes] of the codes).
  """
  ldr = image_io.read_ldr(folder / files["ldr"])
  small = shrunk(np.asarray(color.srgb_to_linear(ldr)))
  if small.shape != ldr.shape:
    ldr = np.asarray(color.linear_to_srgb(small))
  masks = shrunk(image_io.read_ldr(folder / files["masks"]))
  packed = {"size": list(ldr.shape[:2])}
  for name, image in (("ldr", ldr), ("masks", masks)):
    packed[name] = _webp(np.rint(np.clip(image, 0, 1) * 255))
  for name in ("output", "reference"):
    codes = log_codes(shrunk(image_io.read_hdr(folder / files[name])))
    packed[name] = [_webp(codes & 255), _webp(codes >> 8)]
  return packed


def log_codes(hdr: np.ndarray) -> np.ndarray:
  """Relative radiance, of any shape, as the integer codes that the page holds."""
  steps = STEPS * (np.log2(hdr.astype(np.float64) + 2.0**-STOPS_BELOW) + STOPS_BELOW)
  return np.rint(steps).astype(np.int32)


def shrunk(image: np.ndarray) -> np.ndarray:
  """Area averages, so that no side is longer than `MAX_SIDE`; smaller images stay as they are."""
  height, width = image.shape[:2]
  scale = MAX_SIDE / max(height, width)
  if scale >= 1:
    return image
  size = max(1, round(width * scale)), max(1, round(height * scale))
  planes = (np.ascontiguousarray(image[..., c], np.float32) for c in range(image.shape[-1]))
  box = Image.Resampling.BOX
  return np.stack([np.asarray(Image.fromarray(plane).resize(size, box)) for plane in planes], -1)


def _data(record: dict, summary: dict, pictures: int) -> dict:
  """What the scripts read; the PSNRs are capped as in the summary, so differences agree."""
  table = statistics.score_table(record)
  metrics = tables.metrics_in(summary, also=PUBLISHED_ONLY)
  names = ("key", "name", "heading", "best", "digits", "decibels")
  cameras = summary["cameras"]
  return {
    "dataset": record["dataset"],
    "protocols": table.protocols,
    "descriptions": record["protocols"],
    "methods": table.methods,
    "cameras": list(cameras),
    "labels": {name: method["label"] for name, method in record["methods"].items()},
    "main": record["main"],
    "headroom": record["headroom"],
    "mu": record["mu"],
    "codes": [STEPS, STOPS_BELOW],
    "cap": statistics.CAP_DB,
    "regions": [[region, tables.REGION_NAMES[region]] for region in REGIONS],
    "keys": table.keys,
    "metrics": [{name: getattr(metric, name) for name in names} for metric in metrics],
    "images": [{name: image[name] for name in ("name", "camera")} for image in record["images"]],
    "values": _short(statistics.capped(table).tolist()),
    "scores": {name: of["scores"] for name, of in cameras.items()},
    "paired": {name: of["paired"] for name, of in cameras.items()},
    "published": published.rows(record.get("published_set")),
    "publishedOnly": PUBLISHED_ONLY,
    "publishedCaption": tables.published_caption(record),
    "extent": tables.extent(record, summary),
    "notes": summary["notes"],
    "picturesNote": _pictures_note(record, pictures),
    "about": _about(record),
  }


def _pictures_note(record: dict, pictures: int) -> str:
  total = len(record["images"])
  if not pictures:
    return "No images were kept with these scores."
  which = "All" if pictures == total else f"The first {pictures} of"
  return (
    f"{which} {total} images, output of {record['main']}, in linear light with the exposure above "
    "(0 EV: 1.0, the input's white, is the white of the screen). Error: |T(output) − T(ground "
    f"truth)|, T the µ-law (µ = {record['mu']:g}) of the radiance over {record['headroom']:g}, "
    f"clipped to [0, 1]; mean of the channels. Images with a side above {MAX_SIDE} pixels are "
    "shown averaged down to that in linear light; the scores are those of the full size."
  )


def _about(record: dict) -> list[tuple[str, list[str]]]:
  return [
    ("Command", [record["command"]]),
    ("Made", [f"{record['created']}, on {record['device']}, seed {record['seed']}"]),
    ("Versions", [", ".join(f"{name} {v}" for name, v in record["versions"].items())]),
    ("Peak", [f"{record['peak_nits']:g} cd/m² for PU21 and other absolute metrics"]),
    ("Protocols", [f"{name}: {text}" for name, text in record["protocols"].items()]),
    ("Cameras", tables.camera_lines(record)),
    ("Methods", tables.method_lines(record)),
  ]


def _short(values):
  """Six significant digits, and None for NaN."""
  if isinstance(values, list):
    return [_short(value) for value in values]
  return None if values != values else float(f"{values:.6g}")


def _webp(codes: np.ndarray) -> str:
  buffer = io.BytesIO()
  image = Image.fromarray(codes.astype(np.uint8))
  image.save(buffer, "WEBP", lossless=True, quality=80, method=2)
  return base64.b64encode(buffer.getvalue()).decode("ascii")


def _script_json(value) -> str:
  """JSON that may stand inside a script element."""
  text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
  return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _filled(template: str, fills: dict[str, str]) -> str:
  """Every {{name}} replaced in one pass, so that what is filled in is never filled again."""
  return re.sub(r"\{\{(\w+)\}\}", lambda match: fills[match[1]], template)


def _asset(name: str) -> str:
  return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
