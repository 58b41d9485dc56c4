"""One file over HTTP: resumed, retried, checked, and put in place whole."""

import contextlib
import dataclasses
import email.utils
import hashlib
import http.client
import json
import os
import pathlib
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable

from expocm_jax import __version__
from expocm_jax.errors import UserError
from input_pipeline import connecting

# Poly Haven's terms ask for a name under which the requests of one program can be told apart.
USER_AGENT = f"expocm_jax/{__version__}"
BLOCK = 1 << 16
MAX_JSON = 1 << 22


class FetchError(Exception):
  """A file could not be had; the message says why, without the file's name.

  unreachable: the server did not answer at all.
  """

  def __init__(self, message: str, *, unreachable: bool = False):
    super().__init__(message)
    self.unreachable = unreachable


class _Transient(Exception):
  """A failure that may pass: tried again after `wait` seconds, or after the usual pause."""

  def __init__(self, message: str, *, wait: float | None = None, unreachable: bool = False):
    super().__init__(message)
    self.wait = wait
    self.unreachable = unreachable


class _RangeRefused(_Transient):
  """The server's file ends before our part does: it is another one."""


@dataclasses.dataclass(frozen=True)
class Remote:
  """A file elsewhere: its address, bytes, and checksum by "md5" or "git" (a git blob's SHA-1)."""

  url: str
  size: int
  algorithm: str
  checksum: str


@dataclasses.dataclass(frozen=True)
class Client:
  """How requests are made.

  timeout: seconds without a byte after which a request is given up.
  connect_timeout: seconds for connecting.
  silence: seconds of no answer at all after which a file is not tried again.
  attempts: tries for each file, including the first.
  pause: seconds before the second try; doubled for each further one.
  plain_http: hosts that may be reached without TLS.
  """

  timeout: float = 15.0
  connect_timeout: float = 6.0
  silence: float = 12.0
  attempts: int = 4
  pause: float = 1.0
  plain_http: frozenset[str] = frozenset()

  def json(self, url: str) -> dict:
    """The JSON object at `url`.

    Raises:
      FetchError: the server cannot be reached, refuses, or answers something else.
    """

    def once():
      with self._open(url) as response, _network_errors(answering=True):
        text = response.read(MAX_JSON)
      with contextlib.suppress(ValueError):
        answer = json.loads(text)
        if isinstance(answer, dict):
          return answer
      raise FetchError("the answer is not a JSON object")

    return self._retry(once)

  def file(self, remote: Remote, path: pathlib.Path, *, progress: Callable = lambda count: None):
    """Brings `remote` to `path`, by way of `path` + ".part", which a later call continues.

    `progress` is told the bytes that came (negative where bytes are thrown away).

    Raises:
      FetchError: it cannot be had, or is not what was announced; a part stays for the next call.
      UserError: it cannot be written.
    """
    try:
      part = path.with_name(path.name + ".part")
      have = part.stat().st_size if part.exists() else 0
      if have > remote.size:
        part.unlink()
      else:
        progress(have)
      self._retry(lambda: self._continue(remote, part, progress))
      os.replace(part, path)
    except OSError as error:  # of the disk: those of the network have become FetchErrors
      raise UserError(
        f"{path}: cannot be written ({error.strerror or error}); "
        "make room or choose another --output, then start again: it goes on where it was"
      ) from error

  def _continue(self, remote: Remote, part: pathlib.Path, progress: Callable):
    """Fetches what `part` lacks and checks the whole."""
    have = part.stat().st_size if part.exists() else 0
    try:
      if have < remote.size:
        have = self._append(remote, part, have, progress)
    except _RangeRefused:
      part.unlink()
      progress(-have)
      raise
    if have < remote.size:
      raise _Transient(f"the server stopped after {have} of {remote.size} bytes")
    if not is_right(part, remote):
      part.unlink()
      progress(-have)
      raise _Transient(f"the checksum ({remote.algorithm}) is not the announced one")

  def _append(self, remote: Remote, part: pathlib.Path, have: int, progress: Callable) -> int:
    with self._open(remote.url, start=have) as response:
      if have and not (response.status == 206 and _first_byte(response) == have):
        progress(-have)  # the server sends the whole file
        have = 0
      with part.open("ab" if have else "wb") as stream:
        while True:
          with _network_errors(answering=True):
            block = response.read(BLOCK)
          if not block:
            return have
          have += len(block)
          if have > remote.size:
            stream.truncate(0)
            progress(len(block) - have)
            raise FetchError(f"the server sends more than the announced {remote.size} bytes")
          stream.write(block)
          progress(len(block))

  def _open(self, url: str, *, start: int = 0):
    self._check_address(url)
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if start:
      headers["Range"] = f"bytes={start}-"
    opener = connecting.opener(self.connect_timeout, _Redirects(self._check_address))
    request = urllib.request.Request(url, headers=headers)
    try:
      with _network_errors():
        return opener.open(request, timeout=self.timeout)
    except urllib.error.HTTPError as error:
      with error:
        if error.code == 404:
          raise FetchError("not found on the server (404)") from error
        message = f"the server answers {error.code} {error.reason}"
        if error.code == 416 and start:
          raise _RangeRefused(message) from error
        if error.code >= 500 or error.code in (408, 429):
          raise _Transient(message, wait=_retry_after(error.headers)) from error
        raise FetchError(message) from error

  def _check_address(self, url: str):
    parts = urllib.parse.urlsplit(url)
    plain = parts.scheme == "http" and parts.hostname in self.plain_http
    if not (parts.scheme == "https" or plain):
      raise FetchError(f"the address {url} is not https")

  def _retry(self, once: Callable):
    pause, start = self.pause, time.monotonic()
    for attempt in range(1, self.attempts + 1):
      try:
        return once()
      except _Transient as error:
        silent = error.unreachable and time.monotonic() - start > self.silence
        if attempt == self.attempts or silent:
          message = f"{error} ({attempt} {'try' if attempt == 1 else 'tries'})"
          raise FetchError(message, unreachable=error.unreachable) from error
        time.sleep(pause if error.wait is None else min(error.wait, 60.0))
        pause *= 2


class _Redirects(urllib.request.HTTPRedirectHandler):
  """Follows redirections to addresses that `check` accepts."""

  def __init__(self, check: Callable):
    self._check = check

  def redirect_request(self, req, fp, code, msg, headers, newurl):
    self._check(newurl)
    return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextlib.contextmanager
def _network_errors(*, answering: bool = False):
  """Turns what goes wrong on the way into `_Transient`."""
  try:
    yield
  except urllib.error.HTTPError:
    raise
  except TimeoutError as error:
    message = "the server stopped sending" if answering else "the server does not answer in time"
    raise _Transient(message, unreachable=not answering) from error
  except urllib.error.URLError as error:
    slow = isinstance(error.reason, TimeoutError)
    reason = getattr(error.reason, "strerror", None) or error.reason
    message = "the server does not answer in time" if slow else f"no connection ({reason})"
    raise _Transient(message, unreachable=True) from error
  except (OSError, http.client.HTTPException) as error:
    raise _Transient(f"the connection broke ({error or type(error).__name__})") from error


def _first_byte(response) -> int:
  """Where a partial answer starts, from "Content-Range: bytes 100-199/200"; -1 if it is unclear."""
  start = response.headers.get("Content-Range", "").removeprefix("bytes ").split("-")[0]
  return int(start) if start.isdigit() else -1


def _retry_after(headers) -> float | None:
  """Seconds to wait, from a number or a date in the header Retry-After."""
  value = headers.get("Retry-After", "")
  if value.isdigit():
    return float(value)
  with contextlib.suppress(ValueError, TypeError):
    return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
  return None


def is_right(path: pathlib.Path, remote: Remote) -> bool:
  """Whether a file is there and has the announced size and checksum."""
  if not path.is_file() or path.stat().st_size != remote.size:
    return False
  if remote.algorithm == "md5":
    state = hashlib.md5(usedforsecurity=False)
  else:
    state = hashlib.sha1(b"blob %d\0" % remote.size, usedforsecurity=False)
  with path.open("rb") as stream:
    while block := stream.read(BLOCK):
      state.update(block)
  return state.hexdigest() == remote.checksum.lower()
