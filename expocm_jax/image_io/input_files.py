"""Files that come in: find and open them, bound their size, name what is wrong, in one line."""

import contextlib
import errno
import io
import os
import stat
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from expocm_jax.errors import UserError

# What a folder is searched for; the content of a file decides how it is read. The HDR ones are
# written, too.
LDR_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
HDR_SUFFIXES = (".exr", ".hdr")

# Largest picture that is decoded, in pixels: 100 megapixels and some room for sensors that
# are named so. Known from the header, so a decompression bomb is refused before it unpacks.
MAX_PIXELS = 120_000_000


def list_images(path: str | os.PathLike, suffixes: Sequence[str]) -> list[Path]:
  """The images that `path` names, sorted by name.

  Args:
    path: a file, taken whatever its suffix (its content decides), or a folder, of which the
      files with one of the suffixes count; not its subfolders, nor hidden files.
    suffixes: lower case with the dot, e.g. `LDR_SUFFIXES`; compared without regard to case.

  Raises:
    UserError: no such path, folder not readable, or nothing in it.
  """
  try:
    folder = Path(path)
    if not stat.S_ISDIR(os.stat(folder).st_mode):
      return [folder]
    found = sorted(
      entry
      for entry in folder.iterdir()
      if entry.suffix.lower() in suffixes and not entry.name.startswith(".") and not entry.is_dir()
    )
  except OSError as error:
    raise UserError(f"{path}: {_open_problem(error)}") from error
  if not found:
    raise UserError(
      f"{path}: the folder holds no image ({' '.join(suffixes)}); "
      "name the folder that holds the files themselves"
    )
  return found


def open_input(path: str | os.PathLike) -> BinaryIO:
  """Opens a regular, non-empty file for reading; raises `UserError` where it cannot."""
  try:
    info = os.stat(path)
    if stat.S_ISDIR(info.st_mode):
      raise UserError(f"{path}: is a folder, not an image; name a file in it")
    if not stat.S_ISREG(info.st_mode):
      raise UserError(f"{path}: is a device or pipe, not a file; save it to a file first")
    if info.st_size == 0:
      raise UserError(f"{path}: the file is empty (0 bytes); copy or download it again")
    return open(path, "rb")
  except OSError as error:
    raise UserError(f"{path}: {_open_problem(error)}") from error
  except ValueError as error:
    raise UserError(f"{path!r}: not a legal path ({error}); check the name") from error


def _open_problem(error: OSError) -> str:
  match error.errno:
    case errno.ENOENT | errno.ENOTDIR:
      return "no such file; check the path"
    case errno.EACCES | errno.EPERM:
      return "may not be read (permission denied); change its permissions"
  return f"cannot be read ({error.strerror}); check the disk"


def check_size(path: str | os.PathLike, width: int, height: int) -> None:
  """Refuses an empty image and one above `MAX_PIXELS`; call it before decoding."""
  if width < 1 or height < 1:
    raise UserError(f"{path}: the image is empty ({width}x{height}); export it again")
  if width * height > MAX_PIXELS:
    raise UserError(
      f"{path}: {width}x{height} = {width * height / 1e6:.0f} megapixels, more "
      f"than the {MAX_PIXELS // 10**6} that are read; scale or crop it"
    )


@contextlib.contextmanager
def decoding(path: str | os.PathLike, kind: str, *, quiet: bool = False) -> Iterator[None]:
  """Turns whatever a codec raises on damaged data into one `UserError`.

  Codecs raise nearly everything (OSError, SyntaxError, struct.error, their own), so this
  catches every `Exception`: wrap the codec's call and nothing else.

  Args:
    kind: of the file, for the message.
    quiet: hold back what the codec prints beside: dropped if the block raises, else printed
      after it; Python's warnings are dropped. Serialises threads, so only where it is needed:
      OpenEXR and libtiff write to file descriptor 2 from C, the OpenEXR module prints to
      sys.stdout, and Pillow warns of large images and odd EXIF data.
  """
  try:
    with _quiet() if quiet else contextlib.nullcontext():
      yield
  except UserError:
    raise
  except MemoryError as error:
    raise UserError(f"{path}: not enough memory to decode it; use a smaller image") from error
  except Exception as error:
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    raise UserError(
      f"{path}: damaged or incomplete {kind} ({reason}); export or download it again"
    ) from error


# File descriptor 2, sys.stdout and the warning filters belong to the process.
_PROCESS_LOCK = threading.Lock()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  with _PROCESS_LOCK, tempfile.TemporaryFile() as held, _stderr_to(held.fileno()):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings(action="ignore"):
      yield
    held.seek(0)
    notes = held.read().decode(errors="replace")
  if printed.getvalue():
    sys.stdout.write(printed.getvalue())
  if notes:
    sys.stderr.write(notes)


@contextlib.contextmanager
def _stderr_to(descriptor: int) -> Iterator[None]:
  with contextlib.suppress(OSError, ValueError, AttributeError):
    sys.stderr.flush()
  try:
    saved = os.dup(2)
  except OSError:  # A daemon without stderr has nothing to silence.
    yield
    return
  try:
    os.dup2(descriptor, 2)
    yield
  finally:
    os.dup2(saved, 2)
    os.close(saved)
