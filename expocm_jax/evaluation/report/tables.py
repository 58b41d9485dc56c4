"""The tables of an evaluation, as data: what stands in which row and column."""

from typing import NamedTuple

from expocm_jax.evaluation.report import captions, published
from expocm_jax.evaluation.report.columns import METRICS, PUBLISHED_ONLY, REGIONS, Metric

MINUS = "−"
REGION_NAMES = {
  "all": "all",
  "clipped": "clipped",
  "dark": "dark",
  "well_exposed": "well exposed",
}


class Column(NamedTuple):
  """A column of scores."""

  heading: str
  latex: str


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
  return [table for table in built if table and table.rows and table.columns]


def _region_protocols(record: dict) -> dict[str, str]:
  """The protocols of the tables by region, with what the tables' names end in.

  They are `headroom` and, since it favours methods that know the scale, `headroom+gain`; else
  the first of the record.
  """
  names = list(record["protocols"])
  chosen = [name for name in ("headroom", "headroom+gain") if name in names] or names[:1]
  return dict(zip(chosen, ("", "_gain"), strict=False))


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


def number(value: float, metric: Metric, *, signed: bool = False, coarse: bool = False) -> str:
  """25.45, or .8173 for what lies between 0 and 1 (as the paper prints it); 0 has no sign."""
  digits = metric.digits - coarse
  text = f"{abs(value):.{digits}f}"
  if metric.digits == 4:
    text = text.removeprefix("0")
  if float(f"{value:.{digits}f}") == 0:
    return text
  return (MINUS if value < 0 else "+" if signed else "") + text


def _main(record: dict, summary: dict) -> Table:
  metrics = metrics_in(summary)
  rows = [
    Row((protocol, method), tuple(_cell(entries.get(f"{m.key}/all"), m) for m in metrics))
    for protocol, methods in summary["scores"].items()
    for method, entries in methods.items()
  ]
  caption = f"All methods under all protocols, all pixels, {captions.extent(record, summary)}"
  columns = tuple(Column(m.heading, m.latex_heading) for m in metrics)
  return Table("all", caption, ("protocol", "method"), columns, _ranked(rows, metrics))


def _regions(record: dict, summary: dict, protocol: str, suffix: str) -> Table:
  metrics = [m for m in metrics_in(summary) if _has_regions(summary, m)]
  columns, kinds = [], []
  for metric in metrics:
    columns.append(Column(metric.heading, metric.latex_heading))
    kinds.append((metric, None))
    if metric.decibels:
      columns.append(Column("pooled ↑", r"pooled $\uparrow$"))
      kinds.append((metric, "pooled"))
  rows = []
  for region in REGIONS:
    there = summary["regions"][region]
    label = f"{REGION_NAMES[region]} ({there['share']:.0%}, {there['images']} images)"
    for method, entries in summary["scores"][protocol].items():
      cells = [_cell(_part(entries.get(f"{m.key}/{region}"), part), m) for m, part in kinds]
      rows.append(Row((label, method), tuple(cells)))
  caption = (
    f"By region of the input (share of all pixels, images that have such pixels), protocol "
    f"{protocol} ({captions.MEANS}; pooled: over all pixels of a region){captions.partial(record)}"
  )
  ranked = _ranked(rows, [metric for metric, _ in kinds])
  return Table(f"regions{suffix}", caption, ("region", "method"), tuple(columns), ranked)


def _paired(record: dict, summary: dict) -> Table | None:
  metrics = metrics_in(summary)
  rows = [
    Row((protocol, method), tuple(_difference(entries.get(f"{m.key}/all"), m) for m in metrics))
    for protocol, methods in summary["paired"].items()
    for method, entries in methods.items()
  ]
  caption = (
    f"Paired differences against linear (the linearised input), all pixels: {captions.MEANS}, "
    f"share of images that are better (ties are not){captions.partial(record)}"
  )
  columns = tuple(Column(m.heading, m.latex_heading) for m in metrics)
  return Table("paired", caption, ("protocol", "method"), columns, tuple(rows))


def _paired_regions(record: dict, summary: dict, protocol: str, suffix: str) -> Table | None:
  if not summary["paired"]:
    return None
  metrics = [m for m in metrics_in(summary) if _has_regions(summary, m)]
  rows = [
    Row(
      (REGION_NAMES[region], method),
      tuple(_difference(entries.get(f"{m.key}/{region}"), m) for m in metrics),
    )
    for region in REGIONS
    for method, entries in summary["paired"][protocol].items()
  ]
  caption = (
    f"Paired differences against linear by region, protocol {protocol}: {captions.MEANS}, "
    f"share of images that are better (ties are not){captions.partial(record)}"
  )
  columns = tuple(Column(m.heading, m.latex_heading) for m in metrics)
  return Table(f"paired_regions{suffix}", caption, ("region", "method"), columns, tuple(rows))


def _published(record: dict, summary: dict) -> Table | None:
  metrics = [m for m in metrics_in(summary, also=PUBLISHED_ONLY) if m.key in published.METRICS]
  rows = [
    Row((method,), tuple(Cell(number(row[m.key], m)) if m.key in row else None for m in metrics))
    for method, row in published.rows(record.get("published_set")).items()
  ]
  columns = tuple(Column(m.heading, m.latex_heading) for m in metrics)
  return Table("published", captions.of_published(record), ("method",), columns, tuple(rows))


def _part(entry: dict | None, part: str | None) -> dict | None:
  return entry[part] if entry and part else entry


def _has_regions(summary: dict, metric: Metric) -> bool:
  keys = {key for methods in summary["scores"].values() for e in methods.values() for key in e}
  return any(f"{metric.key}/{region}" in keys for region in REGIONS[1:])


def _cell(entry: dict | None, metric: Metric) -> Cell | None:
  if not entry or entry["mean"] is None:
    return None
  extra = ""
  if entry["low"] is not None and entry["high"] is not None:
    low, high = (number(entry[end], metric, coarse=True) for end in ("low", "high"))
    extra = f"{low}–{high}"
  return Cell(number(entry["mean"], metric), extra)


def _difference(entry: dict | None, metric: Metric) -> Cell | None:
  if not entry or entry["mean"] is None:
    return None
  parts = []
  if entry["low"] is not None:
    ends = [number(entry[e], metric, signed=True) for e in ("low", "high")]
    parts.append(f"[{', '.join(ends)}]")
  parts.append("–" if entry["better"] is None else f"{entry['better']:.0%}")
  return Cell(number(entry["mean"], metric, signed=True), " ".join(parts))


def _ranked(rows: list[Row], metrics: list[Metric]) -> tuple[Row, ...]:
  """Marks the best printed mean of every column within each group; none where all are equal."""
  ranked = []
  for row in rows:
    group = [other for other in rows if other.labels[0] == row.labels[0]]
    cells = []
    for index, (cell, metric) in enumerate(zip(row.cells, metrics, strict=True)):
      means = {_value(other.cells[index]) for other in group if other.cells[index]}
      best = len(means) > 1 and (max if metric.higher else min)(means) == _value(cell)
      cells.append(cell._replace(best=True) if cell and best else cell)
    ranked.append(row._replace(cells=tuple(cells)))
  return tuple(ranked)


def _value(cell: Cell | None) -> float | None:
  return float(cell.main.replace(MINUS, "-")) if cell else None
