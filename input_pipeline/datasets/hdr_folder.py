"""Random access to HDR scenes on disk."""

import collections
import csv
import hashlib
import math
import pathlib
import threading

import numpy as np

from expocm_jax.errors import UserError
from expocm_jax.image_io import read_hdr
from input_pipeline.camera import resample
from input_pipeline.datasets import catalogue

PROJECTIONS = ("panorama", "photo")
SUFFIXES = (".exr", ".hdr")
INDEX = "index.csv"
HALF_MAX = 65504.0

Entry = collections.namedtuple("Entry", "path name split group projection")


def to_half(radiance: np.ndarray) -> np.ndarray:
  """Radiance [H, W, 3] as float16, clipped to 65504, divided by a power of two where needed.

  float16 resolves relative steps of 0.001 between 6e-5 and 65504. Files in absolute units may lie
  outside; as only ratios matter to the camera, a median outside [1/256, 256] is brought to about 1.
  """
  lit = radiance[radiance > 0]
  median = float(np.median(lit)) if lit.size else 1.0
  if not 1 / 256 <= median <= 256:
    radiance = np.ldexp(radiance, -round(math.log2(median)))
  return np.clip(radiance, 0.0, HALF_MAX).astype(np.float16)


def read_index(root: pathlib.Path) -> list[Entry]:
  """The rows of `root/index.csv`: columns file, split; optionally split_group, projection.

  Raises:
    UserError: a column is missing, a file is missing, or a value is none of the known ones.
  """
  path = root / INDEX
  with path.open(newline="", encoding="utf-8-sig") as stream:
    reader = csv.DictReader(stream)
    missing = {"file", "split"} - set(reader.fieldnames or ())
    if missing:
      raise UserError(
        f"{path}: no column {', '.join(sorted(missing))}; "
        "the first line must name the columns file,split"
      )
    rows = [{k: (v or "").strip() for k, v in row.items() if isinstance(k, str)} for row in reader]
  entries = []
  for number, row in enumerate(rows, start=2):
    file, split, projection = row["file"], row["split"], row.get("projection", "")
    if split not in catalogue.SPLITS:
      raise UserError(
        f"{path}: unknown split {split!r} in line {number}; use train, validation or test"
      )
    if projection not in ("", *PROJECTIONS):
      raise UserError(
        f"{path}: unknown projection {projection!r} in line {number}; "
        "use panorama, photo or nothing"
      )
    if not file or not (root / file).is_file():
      raise UserError(
        f"{path}: line {number} names {file!r}, which is not in {root}; "
        "restore the file or delete the line"
      )
    name = pathlib.PurePath(file).with_suffix("").as_posix()
    entries.append(Entry(root / file, name, split, row.get("split_group") or name, projection))
  return entries


def list_folder(root: pathlib.Path) -> list[Entry]:
  """All HDR files under `root`, sorted; each is its own group."""
  entries = []
  for path in sorted(root.rglob("*")):
    if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
      name = path.relative_to(root).with_suffix("").as_posix()
      entries.append(Entry(path, name, "train", path.stem, ""))
  return entries


def validation_groups(groups, share: float) -> set[str]:
  """A fixed `share` (at least one, never all) of the group names, chosen by their hashes."""
  ranked = sorted(set(groups), key=lambda name: hashlib.sha256(name.encode()).digest())
  count = math.ceil(share * len(ranked) - 1e-9)
  return set(ranked[: min(count, len(ranked) - 1)])


def select(entries: list[Entry], split: str, *, indexed: bool, share: float) -> list[Entry]:
  """The entries of one split; groups never straddle train and validation."""
  if split == "all" or (split == "test" and not indexed):
    return entries
  train = [entry for entry in entries if entry.split == "train"]
  if split == "test" or any(entry.split == "validation" for entry in entries):
    return [entry for entry in entries if entry.split == split]
  held_out = validation_groups([entry.group for entry in train], share)
  return [entry for entry in train if (entry.group in held_out) == (split == "validation")]


def fingerprint(*parts) -> str:
  """A hash, the same in every process, of texts and of the states of files.

  A file counts by its name, size and time of change, so nothing is read; one that is missing
  counts as such.
  """
  state = []
  for part in parts:
    state.append(part.name if isinstance(part, pathlib.Path) else str(part))
    if isinstance(part, pathlib.Path):
      try:
        status = part.stat()
        state.append(f"{status.st_size} {status.st_mtime_ns}")
      except OSError:
        state.append("missing")
  return hashlib.sha256("\0".join(state).encode()).hexdigest()[:16]


class HdrFolder:
  """A folder of HDR images: `source[i]` is a scene for `camera.photograph`.

  A scene is a dict: `radiance` [H, W, 3] float16, linear BT.709, in the file's scale up to a power
  of two; `levels`, its pyramid (`radiance` is the first level); `panorama`, whether it is
  equirectangular; `name`; `scene`, its `split_group`.

  Splits come from `index.csv` where the folder has one: its test rows are "test", and unless it
  has validation rows, `validation_share` of the train rows' groups is "validation". Without an
  index every file (subfolders included) is its own group, split by a hash of its stem into
  "train" and "validation", and "test" is every file, so that any folder can be evaluated.

  Decoded images stay in memory up to `cache_gib`, the least recently used are dropped first. The
  cache is per process: it is not pickled. Reading from several threads is safe.
  """

  def __init__(
    self,
    root,
    *,
    split: str = "train",
    projection: str = "auto",
    validation_share: float = 0.1,
    cache_gib: float = 2.0,
  ):
    root = pathlib.Path(root)
    if split not in (*catalogue.SPLITS, "all"):
      raise UserError(f"{root}: unknown split {split!r}; use train, validation, test or all")
    if projection not in ("auto", *PROJECTIONS):
      raise UserError(f"{root}: unknown projection {projection!r}; use auto, panorama or photo")
    if not 0.0 <= validation_share < 1.0:
      raise UserError(f"{root}: validation_share is {validation_share}; use 0 or more, below 1")
    if not root.is_dir():
      raise UserError(f"{root}: not a folder; give a folder of .exr or .hdr files")
    indexed = (root / INDEX).is_file()
    entries = read_index(root) if indexed else list_folder(root)
    if not entries:
      raise UserError(f"{root}: no .exr or .hdr files; give a folder that has some")
    self._entries = select(entries, split, indexed=indexed, share=validation_share)
    if not self._entries:
      raise UserError(
        f"{root}: no image in split {split!r} of {len(entries)} images; "
        "add scenes or change the split or validation_share"
      )
    self._projection = projection
    self._cache_bytes = int(cache_gib * 2**30)
    self._reset_cache()

  def _reset_cache(self):
    self._cache = collections.OrderedDict()
    self._cached_bytes = 0
    self._lock = threading.Lock()

  def __getstate__(self):
    dropped = ("_cache", "_cached_bytes", "_lock")
    return {key: value for key, value in self.__dict__.items() if key not in dropped}

  def __setstate__(self, state):
    self.__dict__.update(state)
    self._reset_cache()

  @property
  def names(self) -> tuple[str, ...]:
    """Of the scenes: the files' paths within the folder, without suffix."""
    return tuple(entry.name for entry in self._entries)

  def fingerprint(self, index: int) -> str:
    """Changes with the name, the projection and the file of a scene; nothing is read."""
    entry = self._entries[index]
    return fingerprint(entry.name, entry.projection, entry.path)

  def __len__(self) -> int:
    return len(self._entries)

  def __getitem__(self, index: int) -> dict:
    """Scene number `index`.

    Raises:
      UserError: the file cannot be read.
    """
    entry = self._entries[index]
    levels = self._levels(entry.path)
    height, width = levels[0].shape[:2]
    projection = entry.projection if self._projection == "auto" else self._projection
    panorama = projection == "panorama" if projection else width == 2 * height
    return {
      "radiance": levels[0],
      "levels": levels,
      "panorama": panorama,
      "name": entry.name,
      "scene": entry.group,
    }

  def read(self, index: int) -> dict:
    """`hdr` [H, W, 3] float32 as the file has it, and `name`; nothing is kept in memory.

    Raises:
      UserError: the file cannot be read.
    """
    entry = self._entries[index]
    return {"hdr": read_hdr(entry.path), "name": entry.name}

  def _levels(self, path: pathlib.Path) -> tuple[np.ndarray, ...]:
    with self._lock:
      if path in self._cache:
        self._cache.move_to_end(path)
        return self._cache[path]
    levels = resample.pyramid(to_half(read_hdr(path)))
    with self._lock:
      if path not in self._cache:
        self._cache[path] = levels
        self._cached_bytes += _nbytes(levels)
      while self._cached_bytes > self._cache_bytes and self._cache:
        self._cached_bytes -= _nbytes(self._cache.popitem(last=False)[1])
    return levels


def _nbytes(levels) -> int:
  return sum(level.nbytes for level in levels)
