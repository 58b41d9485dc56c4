"""Metrics of a run as JSON lines and for TensorBoard (tensorboardX, no TensorFlow)."""

import json
import math
import os
import pathlib
import tempfile

import tensorboardX

from expocm_jax.errors import UserError

FILE_NAME = "metrics.jsonl"


class MetricWriter:
  """Writes `FOLDER/metrics.jsonl`, an object with "step" a line, and `FOLDER/tensorboard/`.

  A run that continues at step `resumed_at` forgets the rows of later steps, and one that starts
  anew (None) all rows: they will be written again.

  Raises:
    UserError: from every method, when the folder cannot be written.
  """

  def __init__(self, folder: str | os.PathLike, *, resumed_at: int | None = None):
    self.folder = pathlib.Path(folder)
    try:
      self.folder.mkdir(parents=True, exist_ok=True)
      self._rows = open(_forget_later(self.folder / FILE_NAME, resumed_at), "a", encoding="utf-8")
      # The purge includes its step, and the row of this one is kept.
      purge = 0 if resumed_at is None else resumed_at + 1
      self._board = tensorboardX.SummaryWriter(str(self.folder / "tensorboard"), purge_step=purge)
    except OSError as error:
      raise self._cannot_write(error) from error

  def write(self, step: int, values: dict[str, float]) -> None:
    """Adds one row of scalars, by names like "train/loss"; NaN and infinity become null."""
    values = {name: float(value) for name, value in values.items()}
    finite = {name: value for name, value in values.items() if math.isfinite(value)}
    row = {"step": step} | dict.fromkeys(values) | finite
    try:
      self._rows.write(json.dumps(row) + "\n")
      self._rows.flush()
      for name, value in finite.items():
        self._board.add_scalar(name, value, step)
      self._board.flush()
    except OSError as error:
      raise self._cannot_write(error) from error

  def close(self) -> None:
    try:
      self._rows.close()
      self._board.close()
    except OSError as error:
      raise self._cannot_write(error) from error

  def _cannot_write(self, error: OSError) -> UserError:
    return UserError(f"{self.folder}: cannot write metrics ({error.strerror or error}); "
                     "make room or choose another --workdir")  # fmt: skip


def read_rows(folder: str | os.PathLike) -> list[dict[str, float]]:
  """The rows of a run's folder; a last line that was cut off is left out."""
  path = pathlib.Path(folder) / FILE_NAME
  rows = []
  for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
    try:
      rows.append(json.loads(line))
    except json.JSONDecodeError:
      continue
  return rows


def _forget_later(path: pathlib.Path, step: int | None) -> pathlib.Path:
  """Rewrites the file with the rows up to `step`, whole or not at all."""
  rows = [row for row in read_rows(path.parent) if step is not None and row["step"] <= step]
  with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
    file.writelines(json.dumps(row) + "\n" for row in rows)
  os.chmod(file.name, 0o644)
  os.replace(file.name, path)
  return path
