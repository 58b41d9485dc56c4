"""Tables as Markdown, as LaTeX, and as lines for a terminal."""

import unicodedata

from expocm_jax.evaluation.report.columns import MINUS
from expocm_jax.evaluation.report.tables import Cell, Row, Table

_LATEX = {
  "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
  "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
  "µ": r"$\mu$", "Δ": r"$\Delta$", "×": r"$\times$", "–": "--", MINUS: "$-$",
  "↑": r"$\uparrow$", "↓": r"$\downarrow$", "→": r"$\to$",
  "<": r"$<$", ">": r"$>$", "|": r"$|$", "[": "{[}",
}  # fmt: skip


def markdown(table: Table, *, bold: bool = True) -> str:
  """A caption and a Markdown table with aligned columns; the best scores are bold."""
  header = [*table.label_headings, *(column.heading for column in table.columns)]
  body = [_texts(row, bold) for row in _without_repeats(table.rows)]
  widths = [max(3, *map(_width, texts)) for texts in zip(header, *body, strict=True)]
  labels = len(table.label_headings)
  rule = [":" + "-" * (w - 1) if i < labels else "-" * w for i, w in enumerate(widths)]
  lines = [f"**{table.caption}**" if bold else table.caption, ""]
  for texts in (header, rule, *body):
    padded = (text + " " * (w - _width(text)) for text, w in zip(texts, widths, strict=True))
    lines.append(f"| {' | '.join(padded)} |")
  return "\n".join(lines)


def console(table: Table, *, width: int) -> str:
  """The Markdown table without bold, in parts where it is wider than `width` columns."""
  columns = len(table.columns)
  for count in range(1, columns + 1):
    size = -(-columns // count)
    parts = [_part(table, start, start + size) for start in range(0, columns, size)]
    if all(_fits(part, width) for part in parts):
      break
  return "\n\n".join(markdown(part, bold=False) for part in parts)


def latex(tables: list[Table]) -> str:
  """Floats for a paper; the best scores are bold. Needs booktabs and graphicx."""
  head = "% \\usepackage{booktabs,graphicx}\n"
  return head + "\n".join(_latex_table(table) for table in tables)


def escape(text: str) -> str:
  """Any text as LaTeX text; letters that plain LaTeX lacks become '?'."""
  out = []
  for letter in text:
    if letter in _LATEX:
      out.append(_LATEX[letter])
    elif letter.isascii():
      out.append(letter if letter.isprintable() else " ")
    else:
      plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
      out.append(plain or "?")
  return "".join(out)


def _latex_table(table: Table) -> str:
  spec = "l" * len(table.label_headings) + "r" * len(table.columns)
  header = [*map(escape, table.label_headings), *(column.latex for column in table.columns)]
  lines, group = [], None
  for row, shown in zip(table.rows, _without_repeats(table.rows), strict=True):
    if group not in (None, row.labels[:-1]):
      lines.append(r"\addlinespace")
    group = row.labels[:-1]
    cells = [_latex_cell(cell) for cell in row.cells]
    lines.append(" & ".join([*map(escape, shown.labels), *cells]) + r" \\")
  return "\n".join([
    r"\begin{table*}[t]",
    r"\centering",
    rf"\caption{{{escape(table.caption)}.}}",
    rf"\label{{tab:{table.name.replace('_', '-')}}}",
    r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
    rf"\begin{{tabular}}{{{spec}}}",
    r"\toprule",
    " & ".join(header) + r" \\",
    r"\midrule",
    *lines,
    r"\bottomrule",
    r"\end{tabular}}",
    r"\end{table*}",
    "",
  ])  # fmt: skip


def _latex_cell(cell: Cell | None) -> str:
  if cell is None:
    return "--"
  main = escape(cell.main)
  main = rf"\textbf{{{main}}}" if cell.best else main
  return main + (rf" {{\scriptsize {escape(cell.extra)}}}" if cell.extra else "")


def _without_repeats(rows: tuple[Row, ...]) -> list[Row]:
  """All labels but the last stand only where they, or one before them, change."""
  out, last = [], ()
  for row in rows:
    same = 0
    while same < len(row.labels) - 1 and row.labels[: same + 1] == last[: same + 1]:
      same += 1
    out.append(row._replace(labels=("",) * same + row.labels[same:]))
    last = row.labels
  return out


def _texts(row: Row, bold: bool) -> list[str]:
  labels = [label.replace("|", "\\|") for label in row.labels]
  return [*labels, *(_markdown_cell(cell, bold) for cell in row.cells)]


def _markdown_cell(cell: Cell | None, bold: bool) -> str:
  if cell is None:
    return "–"
  main = f"**{cell.main}**" if bold and cell.best else cell.main
  return f"{main} {cell.extra}".rstrip()


def _part(table: Table, start: int, end: int) -> Table:
  rows = tuple(row._replace(cells=row.cells[start:end]) for row in table.rows)
  caption = table.caption if start == 0 else f"{table.caption} (continued)"
  return table._replace(columns=table.columns[start:end], rows=rows, caption=caption)


def _fits(table: Table, width: int) -> bool:
  return max(map(_width, markdown(table, bold=False).splitlines()[2:])) <= width


def _width(text: str) -> int:
  return sum(not unicodedata.combining(letter) for letter in text)
