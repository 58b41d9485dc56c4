"""Public HDR scenes, fetched from their homes into a folder to train and evaluate on.

`scenes.csv` lists them. Panoramas are Poly Haven's (CC0), whose API tells for each asset where its
file lies and its MD5: GET /files/ASSET answers {"hdri": {"1k": {"hdr": {"url", "size", "md5"}}}}
(https://api.polyhaven.com). Photographs are of the repository openexr-images (BSD-3-Clause), at one
commit; the list holds their sizes and SHA-256. pooch checks files, retries and puts them in place.
"""

import contextlib
import csv
import dataclasses
import functools
import itertools
import json
import pathlib
import re
import sys
import time

import pooch
import requests
import tqdm
import urllib3

from expocm_jax import __version__
from expocm_jax.errors import UserError, first_line
from expocm_jax.image_io import atomic_path, output_folder
from input_pipeline.datasets.hdr_folder import INDEX

SCENES = pathlib.Path(__file__).with_name("scenes.csv")
INDEX_COLUMNS = ("file", "split", "split_group", "projection", "licence", "origin")
ROW = re.compile(  # a row's file, origin, size and sha256, joined by commas
  r"\w[\w.-]*\.(hdr|exr),(polyhaven:[\w-]+,.*|openexr-images:[\w./-]+@\w+,\d+,[0-9a-f]{64})"
)
RESOLUTION = "1k"  # of Poly Haven's panoramas: 1024x512
PATIENCE = 2  # files for which a home may be silent: a hundred would take half an hour
CREDIT = (
  "Scenes: Poly Haven (polyhaven.com, CC0) and openexr-images of the Academy Software Foundation "
  "(BSD-3-Clause, (c) 2004 Industrial Light & Magic and others)"
)


class FetchError(Exception):
  """A file cannot be had, nor by trying again at once."""


class Silent(FetchError):
  """A server does not answer, or hardly."""


@dataclasses.dataclass(frozen=True)
class Network:
  """Where the files come from, and how long to wait for them.

  polyhaven, openexr_images: addresses; a mirror on plain http must be named here to be allowed.
  connect, read: seconds for connecting to each address of a host, and without a byte.
  retries: further tries where a server is busy (429, 5xx), breaks off, or sends wrong bytes.
  pause: seconds before the third try of a busy server, doubled for each further one.
  grace, rate: a body may take `grace` seconds longer than at `rate` bytes a second.
  """

  polyhaven: str = "https://api.polyhaven.com"
  openexr_images: str = "https://raw.githubusercontent.com/AcademySoftwareFoundation/openexr-images"
  connect: float = 3.0
  read: float = 10.0
  retries: int = 3
  pause: float = 2.0
  grace: float = 30.0
  rate: float = 10e3

  @functools.cached_property
  def _session(self) -> requests.Session:
    retry = urllib3.Retry(
      total=None, connect=1, read=1, other=0, status=self.retries, raise_on_status=False,
      status_forcelist=(408, 429, 500, 502, 503, 504), backoff_factor=self.pause / 2,
      retry_after_max=60,
    )  # fmt: skip
    session = requests.Session()
    # Poly Haven's terms ask for a name by which the requests of one program can be told apart.
    session.headers["User-Agent"] = f"expocm_jax/{__version__}"
    session.headers["Accept-Encoding"] = "identity"
    session.adapters.clear()  # an address that begins with none of the following is refused
    mirrors = re.findall("http://[^/ ]+", f"{self.polyhaven} {self.openexr_images}")
    for prefix in ("https://", *(f"{mirror}/" for mirror in mirrors)):
      session.mount(prefix, requests.adapters.HTTPAdapter(max_retries=retry))
    return session

  @contextlib.contextmanager
  def get(self, url: str, *, start: int = 0):
    """Yields (whether the body begins at byte `start`, an iterator over the body as it arrives).

    Raises:
      FetchError: the address is not https, or the server refuses.
      Silent: the server cannot be reached, or is too slow.
      requests.ConnectionError: the connection broke while the body came.
    """
    headers = {"Range": f"bytes={start}-"} if start else {}
    limits = (self.connect, self.read)
    try:
      response = self._session.get(url, headers=headers, stream=True, timeout=limits)
      beyond = response.status_code == 416 and start  # of a file shorter than our part
      if not beyond:
        response.raise_for_status()
    except requests.exceptions.InvalidSchema as error:
      raise FetchError(f"the address is not https ({first_line(error)})") from error
    except (requests.ConnectionError, requests.Timeout) as error:
      reason = re.split(r"\] |: |, '", str(error))[-1].split(" (")[0].strip("()'\"")
      raise Silent(f"no connection ({reason})") from error
    except (OSError, ValueError) as error:  # also an address, redirection or CA file that is wrong
      raise FetchError(first_line(error)) from error
    with response:
      place = response.headers.get("Content-Range", "")
      continued = response.status_code == 206 and place.startswith(f"bytes {start}-")
      yield continued, iter(()) if beyond else self._blocks(response.raw)

  def _blocks(self, body: urllib3.BaseHTTPResponse):
    begin, count = time.monotonic(), 0
    try:
      while block := body.read1(1 << 16):
        yield block
        count += len(block)
        if time.monotonic() - begin > self.grace + count / self.rate:
          raise Silent(f"slower than {self.rate:.0f} bytes a second")
    except (urllib3.exceptions.HTTPError, ValueError, OverflowError) as error:
      raise requests.ConnectionError(f"the connection broke ({first_line(error)})") from error

  def locate(self, row: dict[str, str]) -> tuple[str, int, str]:
    """Address, size and checksum ("ALGORITHM:HEX") of a scene's file.

    Raises:
      As `get`, and FetchError for an answer of Poly Haven's that names no such file.
    """
    home, _, place = row["origin"].partition(":")
    if home == "openexr-images":
      path, commit = place.split("@")
      return f"{self.openexr_images}/{commit}/{path}", int(row["size"]), f"sha256:{row['sha256']}"
    with self.get(f"{self.polyhaven}/files/{place}") as (_, blocks):
      answer = b"".join(itertools.islice(blocks, 1000))
    kind = pathlib.PurePath(row["file"]).suffix
    with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError, RecursionError):
      entry = json.loads(answer)["hdri"][RESOLUTION][kind[1:]]
      if (size := int(entry["size"])) > 0:
        return str(entry["url"]), size, f"md5:{entry['md5']}"
    raise FetchError(f"Poly Haven's answer names no {RESOLUTION} {kind} file")

  def fetch(self, url: str, output_file: str, _pooch, *, part: pathlib.Path, size: int):
    """A downloader for pooch, by way of `part`, which a later try or run continues."""
    have = part.stat().st_size if part.exists() else 0
    have = have if have <= size else 0
    if have < size:
      with self.get(url, start=have) as (continued, blocks):
        have = have if continued else 0
        with part.open("ab" if have else "wb") as stream:
          for block in blocks:
            have += len(block)
            if have > size:
              stream.truncate(0)
              raise FetchError(f"the server sends more than the announced {size} bytes")
            stream.write(block)
    if have < size:
      raise requests.ConnectionError(f"the server stopped after {have} of {size} bytes")
    part.replace(output_file)


def read_scenes() -> list[dict[str, str]]:
  """The list's rows: file, split, split_group, projection, licence, origin, size, sha256.

  `origin` is "polyhaven:ASSET" or "openexr-images:PATH@COMMIT"; only the latter has the last two.
  """
  with SCENES.open(newline="", encoding="utf-8") as stream:
    return list(csv.DictReader(stream))


def main(
  output, *, scenes: list[dict[str, str]] | None = None, network: Network | None = None
) -> dict[str, str]:
  """The work of `--mode=download`: fetches scenes into a folder, and writes its `index.csv`.

  Files that are there and right are kept, parts (`NAME.part`) continued; a failure leaves the
  other files alone. The index names what is there, so that a part of the set can be used too.

  Args:
    output: folder, made if missing.
    scenes: rows as of `read_scenes()`, which is the default.
    network: other homes of the files, such as mirrors, or other time-outs.

  Returns:
    {file: why it could not be had}, each told on stderr; empty if all went well.

  Raises:
    UserError: a row cannot be used, the folder holds another index or cannot be written, or no
      file could be had.
  """
  scenes = read_scenes() if scenes is None else scenes
  for row in scenes:
    if not ROW.fullmatch(",".join(row.get(k) or "" for k in ("file", "origin", "size", "sha256"))):
      raise UserError(
        f"list of scenes: {row.get('file')!r} from {row.get('origin')!r} cannot be used; name a "
        ".hdr or .exr without folders, and for openexr-images size and sha256"
      )
  folder = output_folder(output)
  _check_index(folder / INDEX, scenes)
  print(CREDIT)
  try:
    failures, wrong = _fetch_all(folder, scenes, network or Network())
  except KeyboardInterrupt:
    print(f"{folder}: stopped; the same command goes on from here", file=sys.stderr)
    raise
  if there := [r for r in scenes if r["file"] not in wrong and (folder / r["file"]).is_file()]:
    with atomic_path(folder / INDEX) as path, path.open("w", newline="") as stream:
      writer = csv.DictWriter(stream, INDEX_COLUMNS, extrasaction="ignore", lineterminator="\n")
      writer.writeheader()
      writer.writerows(there)
  if 0 < len(failures) == len(scenes):
    raise UserError(
      f"{folder}: none of {len(scenes)} files could be fetched, the first because: "
      f"{next(iter(failures.values()))}; check the network and start again"
    )
  for file, reason in failures.items():
    print(f"{file}: {reason}", file=sys.stderr)
  print(f"{folder}: {len(scenes) - len(failures)} of {len(scenes)} scenes are there and right")
  if not failures:
    print(f"train on them with --config.data.root={folder}")
  return failures


def _fetch_all(folder, scenes, network) -> tuple[dict[str, str], set[str]]:
  """Returns {file: why it failed}, and those of them that are not known to be right."""
  pooch.get_logger().setLevel("ERROR")  # its lines would tear the progress bar
  store = pooch.Pooch(folder.resolve(), "", {}, {}, retry_if_failed=network.retries)
  failures, silent = {}, {"polyhaven": 0, "openexr-images": 0}  # files in a row
  bar = tqdm.tqdm(scenes, desc="fetching", unit="file", disable=None)
  for row in bar:
    file, home = row["file"], row["origin"].partition(":")[0]
    bar.set_postfix_str(file)
    try:
      if silent[home] >= PATIENCE:
        raise Silent(f"not tried, as {home} does not answer")
      store.urls[file], size, store.registry[file] = network.locate(row)
      part = folder / f"{file}.part"
      store.fetch(file, downloader=functools.partial(network.fetch, part=part, size=size))
      silent[home] = 0
    except (FetchError, requests.ConnectionError, ValueError) as error:  # ValueError: checksum
      failures[file] = first_line(error)
      answered = not isinstance(error, Silent | requests.ConnectionError)
      silent[home] = 0 if answered else silent[home] + 1
    except OSError as error:
      raise UserError(
        f"{folder / file}: cannot be written ({error.strerror or error}); "
        "make room or choose another --output, then start again: it goes on where it was"
      ) from error
  return failures, failures.keys() & store.registry.keys()


def _check_index(path: pathlib.Path, scenes):
  """Raises UserError if there is an index of other files, which would be lost."""
  files: set[str | None] = {None}
  try:
    with path.open(newline="", encoding="utf-8-sig") as stream:
      head, *rows = csv.reader(stream)
      files = {row[head.index("file")] for row in rows if row}
  except FileNotFoundError:
    return
  except (OSError, ValueError, LookupError, csv.Error):
    pass  # no index of ours
  if files - {row["file"] for row in [*read_scenes(), *scenes]}:
    raise UserError(f"{path}: lists files of another set; choose another --output")
