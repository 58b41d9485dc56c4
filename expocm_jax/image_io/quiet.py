"""Keeps C++ codecs from printing beside the one line that the user gets."""

import contextlib
import io
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

# File descriptor 2 and sys.stdout belong to the process: one thread at a time.
_LOCK = threading.Lock()


@contextlib.contextmanager
def quiet_codec() -> Iterator[None]:
  """Holds back stdout and stderr: dropped if the block raises, else printed after it.

  OpenEXR and libtiff write to file descriptor 2 from C and the OpenEXR module prints to
  sys.stdout, in addition to failing. Serialises the decoding of threads, not of processes.
  """
  with _LOCK, tempfile.TemporaryFile() as held, _stderr_to(held.fileno()):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
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
