"""Public HDR scenes, fetched from their homes into a folder to train and evaluate on.

`scenes.csv` lists them. Panoramas are Poly Haven's (CC0), whose API tells for each asset where its
file lies and its MD5: GET /files/ASSET answers {"hdri": {"1k": {"hdr": {"url", "size", "md5"}}}}
(https://api.polyhaven.com). Photographs are of the repository openexr-images (BSD-3-Clause), at one
commit; the list holds their sizes and git blob hashes.
"""

import collections
import contextlib
import csv
import dataclasses
import pathlib
import re
import sys
import urllib.parse

import tqdm

from expocm_jax.errors import UserError
from expocm_jax.image_io import atomic_path, output_folder
from input_pipeline.datasets.hdr_folder import INDEX
from input_pipeline.fetching import Client, FetchError, Remote, is_right

SCENES = pathlib.Path(__file__).with_name("scenes.csv")
PATIENCE = 2  # files for which a host may be silent
INDEX_COLUMNS = ("file", "split", "split_group", "projection", "licence", "origin")
CREDIT = (
  "Scenes: Poly Haven (polyhaven.com, CC0) and openexr-images of the Academy Software Foundation "
  "(BSD-3-Clause, (c) 2004 Industrial Light & Magic and others)"
)


@dataclasses.dataclass(frozen=True)
class Hosts:
  """Where the files come from. A mirror on plain http must be named here to be allowed."""

  polyhaven: str = "https://api.polyhaven.com"
  openexr_images: str = "https://raw.githubusercontent.com/AcademySoftwareFoundation/openexr-images"

  def plain_http(self) -> frozenset[str]:
    """Names of the hosts that are given with http instead of https."""
    parts = [urllib.parse.urlsplit(url) for url in dataclasses.astuple(self)]
    return frozenset(part.hostname for part in parts if part.scheme == "http")


def read_scenes(path: pathlib.Path = SCENES) -> list[dict[str, str]]:
  """The rows of the list: file, split, split_group, projection, licence, origin, size, git_blob.

  `origin` is "polyhaven:ASSET" or "openexr-images:PATH@COMMIT"; only the latter has a size and a
  git blob hash.
  """
  with path.open(newline="", encoding="utf-8") as stream:
    return list(csv.DictReader(stream))


def locate(scene: dict[str, str], resolution: str, hosts: Hosts, client: Client) -> Remote:
  """Address, size and checksum of a scene's file.

  Raises:
    FetchError: Poly Haven does not answer, or has no such asset, resolution or format.
  """
  home, _, place = scene["origin"].partition(":")
  if home == "openexr-images":
    path, commit = place.split("@")
    url = f"{hosts.openexr_images}/{commit}/{urllib.parse.quote(path)}"
    return Remote(url, int(scene["size"]), "git", scene["git_blob"])
  answer = client.json(f"{hosts.polyhaven}/files/{urllib.parse.quote(place)}")
  kind = pathlib.PurePath(scene["file"]).suffix[1:]
  sizes = answer.get("hdri")
  sizes = sizes if isinstance(sizes, dict) else {}
  try:
    entry = sizes[resolution][kind]
    return Remote(str(entry["url"]), int(entry["size"]), "md5", str(entry["md5"]))
  except (KeyError, TypeError, ValueError) as error:
    known = ", ".join(sorted(sizes, key=lambda name: (len(name), name))) or "none"
    raise FetchError(f"Poly Haven offers no {resolution} .{kind}; resolutions: {known}") from error


def download(
  out_dir,
  *,
  resolution: str = "1k",
  scenes: list[dict[str, str]] | None = None,
  hosts: Hosts | None = None,
  client: Client | None = None,
) -> dict[str, str]:
  """Fetches the scenes into `out_dir` and writes its `index.csv`, as `sources.HdrFolder` reads it.

  Files that are there and right are kept, parts (`NAME.part`) continued; a failure leaves the
  other files alone. The index names what is there, so that a part of the set can be used too.

  Args:
    out_dir: folder, made if missing.
    resolution: of Poly Haven's panoramas, "1k" for 1024x512, "2k" and so on. openexr-images has
      one size only.
    scenes: rows as of `read_scenes()`; None takes all of the list.
    hosts: other homes of the files, such as mirrors.
    client: other time-outs and numbers of tries.

  Returns:
    {file: why it could not be had}, empty if all went well.

  Raises:
    UserError: the folder holds another index, or cannot be written.
  """
  if not re.fullmatch(r"[1-9]\d?k", resolution):
    raise UserError(f"resolution {resolution!r}: unknown; use 1k, 2k, 4k or 8k")
  scenes = read_scenes() if scenes is None else scenes
  hosts = hosts or Hosts()
  client = client or Client()
  client = dataclasses.replace(client, plain_http=client.plain_http | hosts.plain_http())
  folder = output_folder(out_dir)
  _check_index(folder, scenes)
  failures: dict[str, str] = {}
  try:
    remotes = _locate_all(scenes, resolution, hosts, client, failures)
    wrong = _fetch_all(folder, remotes, client, failures)
  except KeyboardInterrupt:
    print(f"{folder}: stopped; the same command goes on from here", file=sys.stderr)
    raise
  there = [s for s in scenes if s["file"] not in wrong and (folder / s["file"]).is_file()]
  if there:
    _write_index(folder, there)
  return failures


def _locate_all(scenes, resolution, hosts, client, failures) -> dict[str, Remote]:
  """Asks for all addresses first: then the total is known, and what is missing is told early."""
  remotes = {}
  silent = collections.Counter()
  for scene in tqdm.tqdm(scenes, desc="looking up", unit="file", disable=None):
    try:
      asked = hosts.polyhaven if scene["origin"].startswith("polyhaven:") else ""
      with _giving_up(asked, silent, client) as asking:
        remotes[scene["file"]] = locate(scene, resolution, hosts, asking)
    except FetchError as error:
      failures[scene["file"]] = str(error)
  return remotes


def _fetch_all(folder, remotes, client, failures) -> set[str]:
  """Fetches file after file; returns those that are not there or not right."""
  wrong = set()
  silent = collections.Counter()
  total = sum(remote.size for remote in remotes.values())
  settings = {"unit": "B", "unit_scale": True, "unit_divisor": 1024, "disable": None}
  with tqdm.tqdm(total=total, desc="fetching", **settings) as bar:
    for number, (file, remote) in enumerate(remotes.items(), start=1):
      bar.set_postfix_str(f"file {number} of {len(remotes)}: {file}")
      before = bar.n
      if is_right(folder / file, remote):
        bar.update(remote.size)
        continue
      try:
        with _giving_up(remote.url, silent, client) as asking:
          asking.file(remote, folder / file, progress=bar.update)
      except FetchError as error:
        failures[file] = str(error)
        wrong.add(file)
        bar.total -= remote.size - (bar.n - before)  # the ETA is of what can still come
  return wrong


@contextlib.contextmanager
def _giving_up(url: str, silent: collections.Counter, client: Client):
  """Skips its block by FetchError once the host of `url` was silent for `PATIENCE` files in a row.

  Gives the client to ask with: after the first such file each gets one try alone. Without a
  network, a hundred files with some tries each would take half an hour to fail.
  """
  host = urllib.parse.urlsplit(url).hostname
  if silent[host] >= PATIENCE:
    raise FetchError(f"not tried, as {host} does not answer")
  try:
    yield dataclasses.replace(client, attempts=1) if silent[host] else client
    silent[host] = 0
  except FetchError as error:
    silent[host] = silent[host] + 1 if error.unreachable else 0
    raise


def _check_index(folder: pathlib.Path, scenes: list[dict[str, str]]):
  """Raises UserError if the folder has an index of other files, which would be lost."""
  path = folder / INDEX
  if not path.exists():
    return
  with path.open(newline="", encoding="utf-8-sig") as stream:
    files = {row.get("file") for row in csv.DictReader(stream)}
  if files - {scene["file"] for scene in [*read_scenes(), *scenes]}:
    raise UserError(f"{path}: lists files of another set; choose another --output")


def _write_index(folder: pathlib.Path, scenes: list[dict[str, str]]):
  with atomic_path(folder / INDEX) as path, path.open("w", newline="", encoding="utf-8") as stream:
    writer = csv.DictWriter(stream, INDEX_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(scenes)


def main(
  output,
  *,
  resolution: str = "1k",
  scenes: list[dict[str, str]] | None = None,
  hosts: Hosts | None = None,
  client: Client | None = None,
) -> int:
  """The work of `--mode=download`: `download`, with a report on the screen.

  Returns:
    The number of files that could not be had, each told on stderr.

  Raises:
    UserError: as `download`, or no file could be had.
  """
  scenes = read_scenes() if scenes is None else scenes
  print(CREDIT)
  failures = download(output, resolution=resolution, scenes=scenes, hosts=hosts, client=client)
  if len(failures) == len(scenes):
    raise UserError(
      f"{output}: none of {len(scenes)} files could be fetched, the first because: "
      f"{next(iter(failures.values()))}; check the network and start again"
    )
  for file, reason in failures.items():
    print(f"{file}: {reason}", file=sys.stderr)
  print(f"{output}: {len(scenes) - len(failures)} of {len(scenes)} scenes are there and right")
  if failures:
    print(f"{len(failures)} failed, listed above; the same command tries them again")
  else:
    print(f"train on them with --config.data.root={output}")
  return len(failures)
