"""Journals: rows outlive the program, rows of something else do not come back."""

import pytest

from expocm_jax.errors import UserError
from expocm_jax.evaluation.journal import Journal


def test_rows_come_back_under_the_same_header(tmp_path):
  path = tmp_path / "progress.jsonl"
  journal = Journal(path, {"of": (1, 2)})
  journal.add({"score": 1.5})
  journal.add({"score": float("nan")})
  again = Journal(path, {"of": (1, 2)})
  assert again.rows[0] == {"score": 1.5} and len(again.rows) == 2
  again.add({"score": 3})
  assert len(Journal(path, {"of": (1, 2)}).rows) == 3


def test_the_journal_of_other_work_is_not_overwritten(tmp_path):
  path = tmp_path / "progress.jsonl"
  Journal(path, {"of": 1, "seed": 0}).add({"score": 1})
  before = path.read_bytes()
  with pytest.raises(UserError, match=r"another setting \(seed\).*another --output"):
    Journal(path, {"of": 1, "seed": 1})
  assert path.read_bytes() == before


def test_a_line_that_a_crash_cut_off_is_dropped(tmp_path):
  path = tmp_path / "progress.jsonl"
  journal = Journal(path, {"of": 1})
  for score in range(3):
    journal.add({"score": score})
  path.write_bytes(path.read_bytes()[:-5])
  again = Journal(path, {"of": 1})
  assert [row["score"] for row in again.rows] == [0, 1]
  again.add({"score": 9})
  assert [row["score"] for row in Journal(path, {"of": 1}).rows] == [0, 1, 9]


def test_a_file_that_is_no_journal_is_replaced(tmp_path):
  path = tmp_path / "progress.jsonl"
  for content in (b"\xff\x00", b"7\n", b""):
    path.write_bytes(content)
    assert Journal(path, {"of": 1}).rows == []


def test_a_folder_in_the_way(tmp_path):
  (tmp_path / "progress").mkdir()
  with pytest.raises(UserError, match="progress"):
    Journal(tmp_path / "progress", {})
