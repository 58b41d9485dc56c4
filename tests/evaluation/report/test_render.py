"""Markdown for a terminal, and LaTeX; the cells themselves are tested with the tables."""

import re

from expocm_jax.evaluation import report
from expocm_jax.evaluation.report import render, statistics, tables
from tests.support import report_record


def test_the_console_fits_the_terminal():
  record = report_record.full()
  summary = statistics.summarize(record)
  for width in (100, 160):
    text = report.console(record, summary, width=width)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert max(map(len, rows)) <= width
    assert "**" not in text
  assert text.count("tiny:ddim-50") >= 6
  assert "All methods under all protocols" in text


def test_latex_rows_have_as_many_cells_as_columns_and_nothing_stays_unescaped():
  record = report_record.simple(**{"linear": (20.0, 3.0), "a_b&c%": (22.0, 2.0)})
  record["dataset"] = r"[50% #1] \x {y} ~ é ^ $"
  text = render.latex(tables.build(record, statistics.summarize(record)))
  assert text.isascii()
  assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
  assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 2
  assert text.count(r"(mean, 95\% bootstrap interval)") == 1
  assert text.count(r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%") == 2
  assert r"a\_b\&c\%" in text and r"\textbf{22.00}" in text
  for spec, body in re.findall(r"\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}", text, re.S):
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert lines and all(len(re.findall(r"(?<!\\)&", line)) == len(spec) - 1 for line in lines)
    assert all(rule in body for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
  bare = re.sub(r"\\[&%#_${}]|\$.*?\$", "", text)
  assert not re.search(r"[#_^$~]|(?<!^)%(?!$)", bare.split("\n", 1)[1], re.M)
