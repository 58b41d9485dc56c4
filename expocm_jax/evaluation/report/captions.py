"""What captions and notes say of an evaluation in words: its extent, its methods."""

from expocm_jax.evaluation.report import published, statistics

INTERVAL = f"{statistics.CONFIDENCE:.0%} bootstrap interval"
MEANS = f"mean, {INTERVAL}"
BOLD_NOTE = "bold: the best mean of a protocol (or region), whatever the intervals"


def images(record: dict) -> str:
  """How many images the scores are of: "5 images", or "3 of 5 images" if two are left out."""
  count, left_out = len(record["images"]), len(record.get("left_out") or ())
  total = count + left_out
  number = f"{count} of {total}" if left_out else f"{count}"
  return f"{number} image{'s' if total != 1 else ''}"


def extent(record: dict, summary: dict) -> str:
  """How many images of what set stand behind the means."""
  size, scenes = record["size"], summary["scenes"]
  of = f" of {size[0]} × {size[1]} pixels" if size else ""
  groups = f" from {scenes} group{'s' if scenes != 1 else ''} of scenes"
  what = images(record) + of + (groups if scenes < summary["images"] else "")
  return f"{record['dataset']}: {what} ({MEANS})"


def partial(record: dict) -> str:
  """What the captions without the extent end in: nothing, unless images are left out."""
  return f"; {images(record)}" if record.get("left_out") else ""


def of_published(record: dict) -> str:
  """The caption of the published numbers."""
  ours = f"; ours: {images(record)}" if record.get("left_out") else ""
  return f"{record.get('published_set')}, {published.CAPTION}{ours}"


def methods(record: dict, *, mark: str = "") -> list[str]:
  """One line a method: its name between marks, label (unless that is the name), size, hash."""
  lines = []
  for name, method in record["methods"].items():
    parts = [method["label"]] if method["label"] != name else []
    if method["parameters"]:
      parts.append(f"{method['parameters']:,} parameters")
    if method["sha256"]:
      parts.append(f"sha256 {method['sha256']}")
    lines.append(f"{mark}{name}{mark}" + (f": {'; '.join(parts)}" if parts else ""))
  return lines
