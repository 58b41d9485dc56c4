"""Rows of metrics: what is written, and what a resumed run keeps of them."""

import json

import pytest
from tensorboardX.proto import event_pb2

from expocm_jax.errors import UserError
from expocm_jax.training.metric_writer import MetricWriter, read_rows


def board_values(folder):
  """Scalars in TensorBoard's files: records of length (8 bytes), CRC (4), event, CRC (4)."""
  values = []
  for path in sorted((folder / "tensorboard").iterdir()):
    data = path.read_bytes()
    while data:
      size = int.from_bytes(data[:8], "little")
      event = event_pb2.Event.FromString(data[12 : 12 + size])
      values += [(event.step, v.tag, v.simple_value) for v in event.summary.value]
      data = data[16 + size :]
  return values


def test_rows_are_json_lines_and_tensorboard_scalars(tmp_path):
  writer = MetricWriter(tmp_path / "run")
  writer.write(1, {"train/loss": 0.5})
  writer.write(2, {"train/loss": float("nan"), "train/rate": 2})
  writer.close()
  lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
  assert [json.loads(line) for line in lines] == [
    {"step": 1, "train/loss": 0.5},
    {"step": 2, "train/loss": None, "train/rate": 2.0},
  ]
  assert board_values(tmp_path / "run") == [(1, "train/loss", 0.5), (2, "train/rate", 2.0)]


def test_a_resumed_run_forgets_later_rows_and_a_torn_line(tmp_path):
  writer = MetricWriter(tmp_path)
  for step in (1, 2, 3):
    writer.write(step, {"loss": step})
  writer.close()
  with open(tmp_path / "metrics.jsonl", "a") as file:
    file.write('{"step": 4, "lo')
  writer = MetricWriter(tmp_path, resumed_at=2)
  writer.write(3, {"loss": 30})
  writer.close()
  assert [(row["step"], row["loss"]) for row in read_rows(tmp_path)] == [(1, 1), (2, 2), (3, 30)]
  assert [path.name for path in tmp_path.glob("tmp*")] == []
  MetricWriter(tmp_path).close()  # a start from scratch
  assert read_rows(tmp_path) == []


def test_a_folder_that_cannot_be_written(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(UserError, match="file.*cannot write metrics.*--workdir"):
    MetricWriter(tmp_path / "file")
