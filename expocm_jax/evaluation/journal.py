"""A journal of finished work, so that a program that was stopped goes on where it was."""

import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from expocm_jax import image_io
from expocm_jax.errors import UserError


class Journal:
  """Rows that survive the program: a file of JSON lines, the first of which says what of.

  A last line cut off by a crash is dropped, and so is a file that is no journal at all.
  """

  def __init__(self, path: str | os.PathLike, header: dict[str, Any]):
    """Opens or begins the journal.

    Raises:
      UserError: the file cannot be read or written, or is the journal of other work, whose rows
        would be lost: of another header.
    """
    self._path = pathlib.Path(path)
    header = json.loads(json.dumps(header))  # as it will be read back
    lines = list(self._read())
    if lines and (different := [name for name in header if header[name] != lines[0].get(name)]):
      raise UserError(
        f"{self._path}: of work with another setting ({different[0]}); choose another --output, "
        "or remove this folder"
      )
    self.rows: list[dict] = lines[1:]
    # Written anew in one go: nothing half-written stays, and a full disk is told now.
    with image_io.atomic_path(self._path) as temporary:
      text = "".join(json.dumps(line) + "\n" for line in (header, *self.rows))
      pathlib.Path(temporary).write_text(text, encoding="utf-8")

  def add(self, row: dict[str, Any]) -> None:
    """Writes one row through to the disk; UserError when that fails."""
    line = json.dumps(row) + "\n"
    try:
      with self._path.open("a", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
      raise UserError(
        f"{self._path}: cannot be written ({error.strerror}); "
        "free some space and run the same command again"
      ) from error
    self.rows.append(json.loads(line))

  def _read(self) -> Iterator[dict]:
    """The lines up to the first one that is cut off."""
    try:
      with self._path.open(encoding="utf-8") as file:
        for line in file:
          if not isinstance(row := json.loads(line), dict):
            return
          yield row
    except (FileNotFoundError, ValueError):  # cut off, or not text
      return
    except OSError as error:
      raise UserError(f"{self._path}: cannot be read ({error.strerror}); remove it") from error
