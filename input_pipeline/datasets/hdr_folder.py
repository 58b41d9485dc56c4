"""Folders of HDR images: scenes for the camera model, with the splits of an `index.csv`."""

import collections
import csv
import math
import pathlib
import threading

import numpy as np

from expocm_jax.errors import UserError
from expocm_jax.image_io import HDR_SUFFIXES, read_hdr
from input_pipeline.camera import resample
from input_pipeline.datasets import layouts
from input_pipeline.datasets.catalogue import SPLITS

PROJECTIONS = ("panorama", "photo")
INDEX = "index.csv"
HALF_MAX = float(np.finfo(np.float16).max)  # 65504

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
    problem = None
    if split not in SPLITS:
      problem = f"unknown split {split!r} in line {number}; use train, validation or test"
    elif projection not in ("", *PROJECTIONS):
      problem = (
        f"unknown projection {projection!r} in line {number}; use panorama, photo or nothing"
      )
    elif not file or not (root / file).is_file():
      problem = (
        f"line {number} names {file!r}, which is not in {root}; restore the file or delete the line"
      )
    if problem:
      raise UserError(f"{path}: {problem}")
    name = pathlib.PurePath(file).with_suffix("").as_posix()
    entries.append(Entry(root / file, name, split, row.get("split_group") or name, projection))
  return entries


def list_folder(root: pathlib.Path) -> list[Entry]:
  """All HDR files under `root`, sorted; each is its own group."""
  return [
    Entry(path, path.relative_to(root).with_suffix("").as_posix(), "train", path.stem, "")
    for path in sorted(root.rglob("*"))
    if path.suffix.lower() in HDR_SUFFIXES and path.name[0] != "." and path.is_file()
  ]


def select(entries: list[Entry], split: str, *, indexed: bool, share: float) -> list[Entry]:
  """The entries of one split; groups never straddle train and validation."""
  if split == "all" or (split == "test" and not indexed):
    return entries
  train = [entry for entry in entries if entry.split == "train"]
  if split == "test" or any(entry.split == "validation" for entry in entries):
    return [entry for entry in entries if entry.split == split]
  held_out = layouts.validation_groups([entry.group for entry in train], share)
  return [entry for entry in train if (entry.group in held_out) == (split == "validation")]


class HdrFolder:
  """A folder of HDR images: `source[i]` is a scene for `photograph.photograph`.

  A scene is a dict: `radiance` [H, W, 3] float16, linear BT.709, in the file's scale up to a power
  of two; `levels`, its pyramid (`radiance` is the first level); `panorama`, whether it is
  equirectangular; `name`; `scene`, its `split_group`.

  Splits come from `index.csv` where the folder has one: its test rows are "test", and unless it
  has validation rows, `validation_share` of the train rows' groups is "validation". Without an
  index every file (subfolders included) is its own group, split by a hash of its stem into
  "train" and "validation", and "test" is every file, so that any folder can be evaluated.

  Pyramids are kept up to `cache_gib`, by each process its own. Threads may share a folder.

  Raises:
    UserError: no such folder, no image of this split, a faulty index; on access, a faulty file.
  """

  def __init__(
    self, root, *, split: str, projection: str, validation_share: float, cache_gib: float
  ):
    root = pathlib.Path(root)
    if projection not in ("auto", *PROJECTIONS):
      raise UserError(f"{root}: unknown projection {projection!r}; use auto, panorama or photo")
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
    self._pyramids = _Pyramids(int(cache_gib * 2**30))

  @property
  def names(self) -> tuple[str, ...]:
    """Of the scenes: the files' paths within the folder, without suffix."""
    return tuple(entry.name for entry in self._entries)

  def fingerprint(self, index: int) -> str:
    """Changes with the name, the projection and the file of a scene; nothing is read."""
    entry = self._entries[index]
    return layouts.fingerprint(entry.name, entry.projection, files=[entry.path])

  def __len__(self) -> int:
    return len(self._entries)

  def __getitem__(self, index: int) -> dict:
    entry = self._entries[index]
    levels = self._pyramids.read(entry.path)
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
    """`hdr` [H, W, 3] float32 as the file has it, and `name`; nothing is kept in memory."""
    entry = self._entries[index]
    return {"hdr": read_hdr(entry.path), "name": entry.name}


class _Pyramids:
  """Those of the last files read, of up to so many bytes; none when pickled."""

  def __init__(self, capacity: int):
    self._capacity = self._free = capacity
    self._kept = {}  # the least recently used first
    self._lock = threading.Lock()

  def __reduce__(self):
    return _Pyramids, (self._capacity,)

  def read(self, path: pathlib.Path) -> tuple[np.ndarray, ...]:
    with self._lock:
      levels = self._kept.pop(path, None)
      if levels is None:
        levels = resample.pyramid(to_half(read_hdr(path)))
        self._free -= sum(level.nbytes for level in levels)
      self._kept[path] = levels
      while self._free < 0:
        dropped = self._kept.pop(next(iter(self._kept)))
        self._free += sum(level.nbytes for level in dropped)
      return levels
