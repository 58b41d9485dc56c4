"""Files that appear complete or not at all, and the folders they go to."""

import contextlib
import errno
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from expocm_jax.errors import UserError
from expocm_jax.image_io.input_files import HDR_SUFFIXES

_PROBLEMS = {
  errno.ENOSPC: "no space left on the disk; free some space or choose another folder",
  errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
  errno.EACCES: "the folder is not writable (permission denied); choose another one",
  errno.EPERM: "the folder is not writable (not permitted); choose another one",
  errno.EROFS: "the disk is read-only; choose another folder",
  errno.ENOENT: "the folder does not exist; create it first",
  errno.ENOTDIR: "a part of the path is a file, not a folder; choose another path",
  errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
  errno.EISDIR: "is a folder; name a file",
  errno.EFBIG: "larger than the system allows a file to be; choose another disk",
}


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
  """Yields a temporary path beside `path`, renamed to `path` when the block ends well.

  The temporary name is hidden, unique, and has the suffix of `path`. If the block raises, the
  temporary file is removed and whatever `path` held before stays as it was. A symbolic link
  is followed: its target is replaced.

  Raises:
    UserError: the system refused (no space, no permission, no such folder, a folder in the
      way). Other exceptions of the block pass through.
  """
  target = Path(os.path.realpath(path))
  # A short stem keeps the temporary name legal where the final one is of the longest kind.
  temp = target.with_name(f".{target.stem[:40]}.{secrets.token_hex(4)}.tmp{target.suffix}")
  try:
    with contextlib.suppress(FileNotFoundError):
      mode = target.stat().st_mode
      if stat.S_ISDIR(mode):
        raise UserError(f"{path}: {_PROBLEMS[errno.EISDIR]}")
      if not stat.S_ISREG(mode):
        raise UserError(f"{path}: is a device or pipe, not a file; name a file")
    yield temp
    os.replace(temp, target)
  except OSError as error:
    if error.errno is None:
      raise
    problem = _PROBLEMS.get(error.errno)
    problem = problem or f"cannot be written ({error.strerror}); choose another path"
    raise UserError(f"{path}: {problem}") from error
  finally:
    with contextlib.suppress(OSError):
      temp.unlink()


def output_folder(output: str | os.PathLike) -> Path:
  """The folder, made if need be and tried with a file that is removed at once.

  Raises UserError when it names a file or cannot be written.
  """
  folder = Path(output)
  if folder.suffix.lower() in HDR_SUFFIXES or folder.is_file():
    raise UserError(f"{folder}: names a file; give a folder")
  try:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
      return folder
  except OSError as error:
    raise UserError(
      f"{folder}: cannot be written ({error.strerror or error}); choose another folder or make room"
    ) from error
