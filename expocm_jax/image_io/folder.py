"""Folders that results are written to."""

import os
import tempfile
from pathlib import Path

from expocm_jax.errors import UserError
from expocm_jax.image_io.hdr import HDR_SUFFIXES


def output_folder(output: str | os.PathLike) -> Path:
  """The folder, made if need be and tried with a file that is removed at once.

  Raises UserError when it names a file or cannot be written.
  """
  folder = Path(output)
  if folder.suffix.lower() in HDR_SUFFIXES or folder.is_file():
    raise UserError(f"{folder}: --output names a file; give a folder")
  try:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
      return folder
  except OSError as error:
    raise UserError(
      f"{folder}: cannot be written ({error.strerror or error}); "
      "choose another --output or make room"
    ) from error
