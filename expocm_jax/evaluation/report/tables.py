"""The tables of an evaluation as data: what stands in which row and column, and the captions."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from expocm_jax.evaluation.report import bootstrap, published
from expocm_jax.evaluation.report.columns import METRICS, MINUS, PUBLISHED_ONLY, REGIONS, Metric

REGION_NAMES = {region: region.replace("_", " ") for region in REGIONS}
MEANS = f"mean, {bootstrap.CONFIDENCE:.0%} bootstrap interval"
BETTER = f"{MEANS}, share of images that are better (ties are not)"
BOLD_NOTE = (
  "bold: the best mean of a protocol (or region), where there is a target (→) the nearest to it, "
  "whatever the intervals"
)


class Column(NamedTuple):
  """A column of scores: of a metric, or of the entry's figure that `of` names.

  That is "pooled", decibels of the error over all pixels, or "distance" from the metric's target.
  """

  metric: Metric
  of: str = ""

  @property
  def heading(self) -> str:
    return {"": self.metric.heading, "pooled": "pooled ↑", "distance": "off by ↓"}[self.of]

  @property
  def latex(self) -> str:
    return {
      "": self.metric.latex_heading,
      "pooled": r"pooled $\uparrow$",
      "distance": r"off by $\downarrow$",
    }[self.of]

  def shortfall(self, value: float) -> float:
    """What ranks values: the less, the better."""
    return value if self.of == "distance" else self.metric.shortfall(value)


class Cell(NamedTuple):
  """A score as text."""

  main: str
  extra: str = ""  # the interval, and the share of images that got better
  best: bool = False  # of its group of rows


class Row(NamedTuple):
  """Labels (what the scores belong to), and one cell a column."""

  labels: tuple[str, ...]
  cells: tuple[Cell | None, ...]


class Table(NamedTuple):
  """Rows whose labels differ in the last alone, the method, belong together."""

  name: str  # for LaTeX's \\label and \\ref
  caption: str
  label_headings: tuple[str, ...]
  columns: tuple[Column, ...]
  rows: tuple[Row, ...]


def build(record: dict, summary: dict) -> list[Table]:
  """All tables: all pixels, published numbers, regions, light and fidelity, paired differences."""
  by_region = _region_protocols(record).items()
  built = [
    _main(record, summary),
    _published(record, summary),
    *(_regions(record, summary, *protocol) for protocol in by_region),
    _light(record, summary),
    _paired(record, summary),
    *(_paired_regions(record, summary, *protocol) for protocol in by_region),
    _paired_light(record, summary),
  ]
  return [table for table in built if table.rows and table.columns]


def metrics_in(summary: dict, *, also: tuple[str, ...] = ()) -> list[Metric]:
  """The metrics that have a score, and those of the keys `also`, in the order of the columns."""
  keys = {
    key.split("/")[0]
    for of_camera in summary["cameras"].values()
    for methods in of_camera["scores"].values()
    for entries in methods.values()
    for key, entry in entries.items()
    if entry["images"]
  }
  return [metric for metric in METRICS if metric.key in keys.union(also)]


def count_of_images(record: dict) -> str:
  """How many images the scores are of: "5 images", or "3 of 5 images" if two are left out."""
  count, left_out = len(record["images"]), len(record.get("left_out") or ())
  total = count + left_out
  number = f"{count} of {total}" if left_out else f"{count}"
  return f"{number} image{'s' if total != 1 else ''}"


def extent(record: dict, summary: dict) -> str:
  """How many images of what set stand behind the means."""
  size, scenes, cameras = record["size"], summary["scenes"], len(record["cameras"])
  of = f" of {size[0]} × {size[1]} pixels" if size else ""
  groups = f" from {scenes} group{'s' if scenes != 1 else ''} of scenes"
  what = count_of_images(record) + of + (groups if scenes < summary["images"] else "")
  what += f" by {cameras} cameras" if cameras > 1 else ""
  return f"{record['dataset']}: {what} ({MEANS})"


def published_caption(record: dict) -> str:
  """The caption of the published numbers."""
  return f"{record.get('published_set')}, {published.CAPTION}{_left_out(record, 'ours: ')}"


def camera_lines(record: dict, *, mark: str = "") -> list[str]:
  """One line a camera: its name between marks, description, reading."""
  reading = f", {record['reading']} reading" if record["reading"] else ""
  return [f"{mark}{name}{mark}: {text}{reading}" for name, text in record["cameras"].items()]


def method_lines(record: dict, *, mark: str = "") -> list[str]:
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


def _left_out(record: dict, of: str = "") -> str:
  """What the captions without the extent end in: nothing, unless images are left out."""
  return f"; {of}{count_of_images(record)}" if record.get("left_out") else ""


def _region_protocols(record: dict) -> dict[str, str]:
  """The protocols of the tables by region, with what the tables' names end in.

  They are `headroom` and, since it favours methods that know the scale, `headroom+gain`; else
  the first of the record.
  """
  names = list(record["protocols"])
  chosen = [name for name in ("headroom", "headroom+gain") if name in names] or names[:1]
  return dict(zip(chosen, ("", "_gain"), strict=False))


def _labelled(summary: dict, *headings: str) -> tuple[str, ...]:
  """The headings of labels; that of the cameras first, where there are several."""
  return (*(("camera",) if len(summary["cameras"]) > 1 else ()), *headings)


def _cameras(summary: dict) -> list[tuple[tuple[str, ...], dict]]:
  """(labels, summary) of each camera; without a label where it is the only one."""
  several = len(summary["cameras"]) > 1
  return [((name,) if several else (), of) for name, of in summary["cameras"].items()]


def _by_protocol(summary: dict, kind: str) -> list[tuple[tuple[str, ...], str, dict]]:
  """(labels, region, entries of the methods) under each protocol; `kind`: "scores", "paired"."""
  return [
    ((*camera, protocol), "all", entries)
    for camera, of_camera in _cameras(summary)
    for protocol, entries in of_camera[kind].items()
  ]


def _main(record: dict, summary: dict) -> Table:
  columns = tuple(map(Column, _metrics(summary)))
  groups = _by_protocol(summary, "scores")
  caption = f"All methods under all protocols, all pixels, {extent(record, summary)}"
  labels = _labelled(summary, "protocol", "method")
  return Table("all", caption, labels, columns, _ranked(_rows(groups, columns, _cell), columns))


def _regions(record: dict, summary: dict, protocol: str, suffix: str) -> Table:
  columns = tuple(
    Column(metric, of)
    for metric in _metrics(summary, regional=True)
    for of in (("", "pooled") if metric.decibels else ("",))
  )
  groups = (
    (
      (*camera, f"{REGION_NAMES[region]} ({share['share']:.0%}, {share['images']} images)"),
      region,
      of_camera["scores"][protocol],
    )
    for camera, of_camera in _cameras(summary)
    for region, share in of_camera["regions"].items()
  )
  caption = (
    f"By region of the input (share of all pixels, images that have such pixels), protocol "
    f"{protocol} ({MEANS}; pooled: over all pixels of a region){_left_out(record)}"
  )
  rows = _ranked(_rows(groups, columns, _cell), columns)
  return Table(f"regions{suffix}", caption, _labelled(summary, "region", "method"), columns, rows)


def _light(record: dict, summary: dict) -> Table:
  protocol = next(iter(_region_protocols(record)))
  columns = tuple(
    Column(metric, of)
    for metric in _metrics_of_one_region(summary)
    for of in (("", "distance") if metric.has_target else ("",))
  )
  groups = ((camera, "", of_camera["scores"][protocol]) for camera, of_camera in _cameras(summary))
  caption = (
    f"Light over clipped pixels and of the 99.9th percentile (stops), texture of clipped pixels, "
    f"fidelity to well-exposed ones (codes of 8 bits); radiance up to {record['headroom']:g}, "
    f"protocol {protocol} ({MEANS}; off by: absolute distance from the target){_left_out(record)}"
  )
  rows = _ranked(_rows(groups, columns, _cell), columns)
  return Table("light", caption, _labelled(summary, "method"), columns, rows)


def _paired(record: dict, summary: dict) -> Table:
  columns = tuple(map(Column, _metrics(summary)))
  groups = _by_protocol(summary, "paired")
  caption = f"Paired differences against linear (the linearised input), all pixels: {BETTER}"
  labels, rows = _labelled(summary, "protocol", "method"), _rows(groups, columns, _difference)
  return Table("paired", caption + _left_out(record), labels, columns, rows)


def _paired_regions(record: dict, summary: dict, protocol: str, suffix: str) -> Table:
  columns = tuple(map(Column, _metrics(summary, regional=True)))
  groups = (
    ((*camera, REGION_NAMES[region]), region, of_camera["paired"].get(protocol, {}))
    for camera, of_camera in _cameras(summary)
    for region in REGIONS
  )
  caption = f"Paired differences against linear by region, protocol {protocol}: {BETTER}"
  labels, rows = _labelled(summary, "region", "method"), _rows(groups, columns, _difference)
  return Table(f"paired_regions{suffix}", caption + _left_out(record), labels, columns, rows)


def _paired_light(record: dict, summary: dict) -> Table:
  protocol = next(iter(_region_protocols(record)))
  columns = tuple(map(Column, _metrics_of_one_region(summary)))
  groups = (
    (camera, "", of_camera["paired"].get(protocol, {})) for camera, of_camera in _cameras(summary)
  )
  caption = (
    f"Paired differences against linear of light, peak, texture and fidelity, protocol {protocol}: "
    f"{BETTER}; better: nearer to the target"
  )
  labels, rows = _labelled(summary, "method"), _rows(groups, columns, _difference)
  return Table("paired_light", caption + _left_out(record), labels, columns, rows)


def _published(record: dict, summary: dict) -> Table:
  metrics = [m for m in metrics_in(summary, also=PUBLISHED_ONLY) if m.key in published.METRICS]
  rows = tuple(
    Row((method,), tuple(Cell(m.text(row[m.key])) if m.key in row else None for m in metrics))
    for method, row in published.rows(record.get("published_set")).items()
  )
  columns = tuple(map(Column, metrics))
  return Table("published", published_caption(record), ("method",), columns, rows)


def _rows(
  groups: Iterable[tuple[tuple[str, ...], str, dict]],
  columns: Sequence[Column],
  to_cell: Callable[[dict, Metric], Cell],
) -> tuple[Row, ...]:
  """The rows of groups (labels, region, {method: {"metric/region": entry}}).

  A metric that is of one region takes that.
  """

  def cell(entries: dict, column: Column, region: str) -> Cell | None:
    entry = entries.get(f"{column.metric.key}/{column.metric.only or region}")
    entry = entry[column.of] if entry and column.of else entry
    return to_cell(entry, column.metric) if entry and entry["mean"] is not None else None

  return tuple(
    Row((*labels, method), tuple(cell(entries, column, region) for column in columns))
    for labels, region, methods in groups
    for method, entries in methods.items()
  )


def _cell(entry: dict, metric: Metric) -> Cell:
  if metric.has_target:  # may be negative
    return Cell(metric.text(entry["mean"]), _brackets(entry, metric))
  ends = [metric.text(entry[e], coarse=True) for e in ("low", "high") if entry[e] is not None]
  return Cell(metric.text(entry["mean"]), "–".join(ends) if len(ends) == 2 else "")


def _difference(entry: dict, metric: Metric) -> Cell:
  better = "–" if entry["better"] is None else f"{entry['better']:.0%}"
  interval = _brackets(entry, metric, signed=True)
  return Cell(metric.text(entry["mean"], signed=True), f"{interval} {better}".lstrip())


def _brackets(entry: dict, metric: Metric, *, signed: bool = False) -> str:
  if entry["low"] is None:
    return ""
  return f"[{', '.join(metric.text(entry[end], signed=signed) for end in ('low', 'high'))}]"


def _metrics(summary: dict, *, regional: bool = False) -> list[Metric]:
  """Those with a score of any region, or `regional` of other regions than all pixels."""
  keys = {
    key
    for of_camera in summary["cameras"].values()
    for methods in of_camera["scores"].values()
    for entries in methods.values()
    for key in entries
  }
  over_regions = {key.partition("/")[0] for key in keys if not key.endswith("/all")}
  return [
    metric
    for metric in metrics_in(summary)
    if not metric.only and (metric.key in over_regions or not regional)
  ]


def _metrics_of_one_region(summary: dict) -> list[Metric]:
  return [metric for metric in metrics_in(summary) if metric.only]


def _ranked(rows: tuple[Row, ...], columns: Sequence[Column]) -> tuple[Row, ...]:
  """Marks the best printed mean of every column within each group; none where all are equal."""
  ranked = []
  for row in rows:
    group = [other for other in rows if other.labels[:-1] == row.labels[:-1]]
    cells = []
    for index, (cell, column) in enumerate(zip(row.cells, columns, strict=True)):
      shortfalls = {column.shortfall(_value(c)) for other in group if (c := other.cells[index])}
      best = min(shortfalls, default=math.inf)
      is_best = cell and len(shortfalls) > 1 and column.shortfall(_value(cell)) == best
      cells.append(cell._replace(best=True) if is_best else cell)
    ranked.append(row._replace(cells=tuple(cells)))
  return tuple(ranked)


def _value(cell: Cell) -> float:
  return float(cell.main.replace(MINUS, "-"))
