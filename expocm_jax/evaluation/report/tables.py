"""The tables of an evaluation as data: what stands in which row and column, and the captions."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from expocm_jax.evaluation.report import bootstrap, published
from expocm_jax.evaluation.report.columns import METRICS, MINUS, PUBLISHED_ONLY, REGIONS, Metric

REGION_NAMES = {region: region.replace("_", " ") for region in REGIONS}
MEANS = f"mean, {bootstrap.CONFIDENCE:.0%} bootstrap interval"
BOLD_NOTE = "bold: the best mean of a protocol (or region), whatever the intervals"


class Column(NamedTuple):
  """A column of scores: of a metric, or of its pooled decibels."""

  metric: Metric
  pooled: bool = False

  @property
  def heading(self) -> str:
    return "pooled ↑" if self.pooled else self.metric.heading

  @property
  def latex(self) -> str:
    return r"pooled $\uparrow$" if self.pooled else self.metric.latex_heading


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
  """Rows with one first label belong together."""

  name: str  # for LaTeX's \\label and \\ref
  caption: str
  label_headings: tuple[str, ...]
  columns: tuple[Column, ...]
  rows: tuple[Row, ...]


def build(record: dict, summary: dict) -> list[Table]:
  """All tables: everything over all pixels, published numbers, regions, paired differences."""
  by_region = _region_protocols(record).items()
  built = [
    _main(record, summary),
    _published(record, summary),
    *(_regions(record, summary, *protocol) for protocol in by_region),
    _paired(record, summary),
    *(_paired_regions(record, summary, *protocol) for protocol in by_region),
  ]
  return [table for table in built if table.rows and table.columns]


def metrics_in(summary: dict, *, also: tuple[str, ...] = ()) -> list[Metric]:
  """The metrics that have a score, and those of the keys `also`, in the order of the columns."""
  keys = {
    key.split("/")[0]
    for methods in summary["scores"].values()
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
  size, scenes = record["size"], summary["scenes"]
  of = f" of {size[0]} × {size[1]} pixels" if size else ""
  groups = f" from {scenes} group{'s' if scenes != 1 else ''} of scenes"
  what = count_of_images(record) + of + (groups if scenes < summary["images"] else "")
  return f"{record['dataset']}: {what} ({MEANS})"


def published_caption(record: dict) -> str:
  """The caption of the published numbers."""
  return f"{record.get('published_set')}, {published.CAPTION}{_left_out(record, 'ours: ')}"


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


def _main(record: dict, summary: dict) -> Table:
  columns = tuple(map(Column, metrics_in(summary)))
  rows = _rows(((name, "all", s) for name, s in summary["scores"].items()), columns, _cell)
  caption = f"All methods under all protocols, all pixels, {extent(record, summary)}"
  return Table("all", caption, ("protocol", "method"), columns, _ranked(rows, columns))


def _regions(record: dict, summary: dict, protocol: str, suffix: str) -> Table:
  columns = tuple(
    Column(metric, pooled)
    for metric in _metrics_by_region(summary)
    for pooled in ((False, True) if metric.decibels else (False,))
  )
  labels = {
    region: f"{REGION_NAMES[region]} ({share['share']:.0%}, {share['images']} images)"
    for region, share in summary["regions"].items()
  }
  groups = ((label, region, summary["scores"][protocol]) for region, label in labels.items())
  caption = (
    f"By region of the input (share of all pixels, images that have such pixels), protocol "
    f"{protocol} ({MEANS}; pooled: over all pixels of a region){_left_out(record)}"
  )
  rows = _ranked(_rows(groups, columns, _cell), columns)
  return Table(f"regions{suffix}", caption, ("region", "method"), columns, rows)


def _paired(record: dict, summary: dict) -> Table:
  columns = tuple(map(Column, metrics_in(summary)))
  rows = _rows(((name, "all", s) for name, s in summary["paired"].items()), columns, _difference)
  caption = (
    f"Paired differences against linear (the linearised input), all pixels: {MEANS}, "
    f"share of images that are better (ties are not){_left_out(record)}"
  )
  return Table("paired", caption, ("protocol", "method"), columns, rows)


def _paired_regions(record: dict, summary: dict, protocol: str, suffix: str) -> Table:
  columns = tuple(map(Column, _metrics_by_region(summary)))
  scores = summary["paired"].get(protocol, {})
  groups = ((REGION_NAMES[region], region, scores) for region in REGIONS)
  caption = (
    f"Paired differences against linear by region, protocol {protocol}: {MEANS}, "
    f"share of images that are better (ties are not){_left_out(record)}"
  )
  rows = _rows(groups, columns, _difference)
  return Table(f"paired_regions{suffix}", caption, ("region", "method"), columns, rows)


def _published(record: dict, summary: dict) -> Table:
  metrics = [m for m in metrics_in(summary, also=PUBLISHED_ONLY) if m.key in published.METRICS]
  rows = tuple(
    Row((method,), tuple(Cell(m.text(row[m.key])) if m.key in row else None for m in metrics))
    for method, row in published.rows(record.get("published_set")).items()
  )
  columns = tuple(map(Column, metrics))
  return Table("published", published_caption(record), ("method",), columns, rows)


def _rows(
  groups: Iterable[tuple[str, str, dict]],
  columns: Sequence[Column],
  to_cell: Callable[[dict, Metric], Cell],
) -> tuple[Row, ...]:
  """The rows of groups (first label, region, {method: {"metric/region": entry}})."""

  def cell(entry: dict | None, column: Column) -> Cell | None:
    entry = entry["pooled"] if entry and column.pooled else entry
    return to_cell(entry, column.metric) if entry and entry["mean"] is not None else None

  return tuple(
    Row((label, method), tuple(cell(e.get(f"{c.metric.key}/{region}"), c) for c in columns))
    for label, region, methods in groups
    for method, e in methods.items()
  )


def _cell(entry: dict, metric: Metric) -> Cell:
  ends = [metric.text(entry[e], coarse=True) for e in ("low", "high") if entry[e] is not None]
  return Cell(metric.text(entry["mean"]), "–".join(ends) if len(ends) == 2 else "")


def _difference(entry: dict, metric: Metric) -> Cell:
  parts = []
  if entry["low"] is not None:
    ends = [metric.text(entry[e], signed=True) for e in ("low", "high")]
    parts.append(f"[{', '.join(ends)}]")
  parts.append("–" if entry["better"] is None else f"{entry['better']:.0%}")
  return Cell(metric.text(entry["mean"], signed=True), " ".join(parts))


def _metrics_by_region(summary: dict) -> list[Metric]:
  keys = {key for methods in summary["scores"].values() for e in methods.values() for key in e}
  regional = {metric for metric, _, region in (k.partition("/") for k in keys) if region != "all"}
  return [metric for metric in metrics_in(summary) if metric.key in regional]


def _ranked(rows: tuple[Row, ...], columns: Sequence[Column]) -> tuple[Row, ...]:
  """Marks the best printed mean of every column within each group; none where all are equal."""
  ranked = []
  for row in rows:
    group = [other for other in rows if other.labels[0] == row.labels[0]]
    cells = []
    for index, (cell, column) in enumerate(zip(row.cells, columns, strict=True)):
      means = {_value(other.cells[index]) for other in group if other.cells[index]}
      best = (max if column.metric.higher else min)(means, default=None)
      is_best = cell and len(means) > 1 and _value(cell) == best
      cells.append(cell._replace(best=True) if is_best else cell)
    ranked.append(row._replace(cells=tuple(cells)))
  return tuple(ranked)


def _value(cell: Cell) -> float:
  return float(cell.main.replace(MINUS, "-"))
