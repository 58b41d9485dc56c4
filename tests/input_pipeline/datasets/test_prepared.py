"""Prepared sets: written, read back, trained from; without TensorFlow."""

import os
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

from expocm_jax.errors import UserError
from input_pipeline.datasets import prepared


def records(count, size=8, seed=0):
  rng = np.random.default_rng(seed)
  return [
    {
      "ldr": rng.uniform(size=(size, size, 3)).astype(np.float32),
      "hdr": rng.uniform(0, 16, size=(size, size, 3)).astype(np.float32),
      "name": f"r{i}",
    }
    for i in range(count)
  ]


def test_what_is_written_is_read(tmp_path):
  train, validation = records(5), records(2, seed=1)
  written = prepared.write_prepared(
    {"train": (5, train), "validation": (2, validation)}, tmp_path / "set", size=8
  )
  assert written == {"train": 5, "validation": 2}
  source = prepared.PreparedPairs(tmp_path / "set", "train", dataset="folder")
  assert len(source) == 5
  assert len(prepared.PreparedPairs(tmp_path / "set", "all", dataset="folder")) == 7
  found = {record["name"]: record for record in (source[i] for i in range(5))}
  for record in train:
    read = found[record["name"]]
    assert read["ldr"].dtype == read["hdr"].dtype == np.float32
    np.testing.assert_allclose(read["ldr"], record["ldr"], atol=0.5001 / 255)
    np.testing.assert_allclose(read["hdr"], record["hdr"], rtol=2**-11, atol=1e-7)


def test_a_source_travels_to_other_processes(tmp_path):
  prepared.write_prepared({"train": (3, records(3))}, tmp_path, size=8)
  source = prepared.PreparedPairs(tmp_path, "train", dataset="folder")
  first = source[0]
  again = pickle.loads(pickle.dumps(source))
  np.testing.assert_array_equal(again[0]["hdr"], first["hdr"])


def test_mistakes_are_told_in_one_line(tmp_path):
  with pytest.raises(UserError, match="holds no prepared set; give a folder"):
    prepared.PreparedPairs(tmp_path, "train", dataset="folder")
  with pytest.raises(UserError, match="holds no prepared set"):
    prepared.PreparedPairs(tmp_path / "nowhere", "train", dataset="folder")
  prepared.write_prepared({"train": (2, records(2))}, tmp_path / "set", size=8)
  with pytest.raises(UserError, match="has no split test; it has train"):
    prepared.PreparedPairs(tmp_path / "set", "test", dataset="folder")
  with pytest.raises(UserError, match="already; remove it"):
    prepared.write_prepared({"train": (2, records(2))}, tmp_path / "set", size=8)
  (tmp_path / "file").write_text("")
  with pytest.raises(UserError, match="file: cannot be written .*; choose another folder"):
    prepared.write_prepared({"train": (2, records(2))}, tmp_path / "file", size=8)


def test_a_failed_preparation_leaves_nothing_behind(tmp_path):
  def failing():
    yield from records(2)
    raise UserError("b.hdr: broken; remove it")

  with pytest.raises(UserError, match="b.hdr: broken"):
    prepared.write_prepared({"train": (3, failing())}, tmp_path, size=8)
  assert not [path for path in tmp_path.rglob("*") if path.is_file()]
  assert prepared.write_prepared({"train": (3, records(3))}, tmp_path, size=8) == {"train": 3}


def test_nothing_imports_tensorflow(tmp_path):
  script = f"""
import sys
import numpy as np
from input_pipeline.datasets import prepared
record = dict(ldr=np.zeros((4, 4, 3), np.float32), hdr=np.ones((4, 4, 3), np.float32), name="a")
prepared.write_prepared({{"train": (1, [record])}}, {str(tmp_path)!r}, size=4)
source = prepared.PreparedPairs({str(tmp_path)!r}, "train", dataset="folder")
assert source[0]["hdr"].mean() == 1.0
assert "tensorflow" not in sys.modules and "jax" not in sys.modules
"""
  root = pathlib.Path(__file__).parents[3]
  done = subprocess.run(
    [sys.executable, "-c", script],
    capture_output=True,
    text=True,
    check=False,
    timeout=120,
    env=dict(os.environ, PYTHONPATH=str(root)),
  )
  assert done.returncode == 0, done.stderr
