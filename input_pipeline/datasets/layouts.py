"""How sets lie on disk: the folders of their splits, and the finders that list pairs.

- `ntire21`: `NNNN_medium.png`, `NNNN_gt.png` (16-bit) and `NNNN_alignratio.npy` side by side.
- `scenes`: one folder a pair, `NNNNN/{input.jpg,gt.hdr}`; a `gt.png` beside them is ignored.
- `folders`: two folders, `LDR_in` + `HDR_gt` (or `ldr` + `hdr`, `input` + `reference`, any case).

A finder takes the folder and the set's entry, and gives (how the pairs were found: "name", "stem"
or "order"; the pairs, none where the layout is another). It raises `UserError` where the layout is
this one but a part is missing.
"""

import dataclasses
import hashlib
import itertools
import math
import pathlib
import re

from expocm_jax import image_io
from expocm_jax.errors import UserError
from input_pipeline.datasets.catalogue import TRAINING, Dataset

LDR_FOLDERS = ("ldr_in", "ldr", "input")
HDR_FOLDERS = ("hdr_gt", "hdr", "reference", "gt")
SPLIT_FOLDERS = {
  "train": ("train", "training"),
  "validation": ("validation", "valid", "val"),
  "test": ("test", "testing"),
}
GROUND_TRUTH_SUFFIXES = (*image_io.HDR_SUFFIXES, ".npy")
NTIRE21_ENDINGS = ("_medium.png", "_gt.png", "_alignratio.npy")


@dataclasses.dataclass(frozen=True)
class Pair:
  """Where one pair lies; `align` is NTIRE 2021's `alignratio` file, None elsewhere.

  `name` is unique in a set; `scene` is shared by several photos of one ground truth.
  """

  name: str
  scene: str
  ldr: pathlib.Path
  hdr: pathlib.Path
  align: pathlib.Path | None = None


def existing_folder(root) -> pathlib.Path:
  """`root` as a path, if it is a folder."""
  root = pathlib.Path(root)
  if not root.is_dir():
    raise UserError(f"{root}: no such folder; give the folder of the set as data.root")
  return root


def split_folder(root: pathlib.Path, entry: Dataset, split: str) -> tuple[pathlib.Path, bool]:
  """Where the records of `split` ("all" too) lie, and whether all that lies there is of this split.

  Training and validation records share the folder `train`, or the root, unless there is a folder
  `validation`: these are still to be told apart.

  Raises:
    UserError: folders name the splits of the set, and none names this one.
  """
  named = _split_folders(root)
  if split == "all" or not named:
    return root, False
  folder = named.get(split) or (named.get("train") if split in TRAINING else None)
  if folder is None and len(entry.layouts) > 1 and not entry.split_by_layout:
    raise UserError(f"{root}: has no {split} folder; add one or name another split")
  return folder or root, split == "test" or "validation" in named


def available_splits(root, entry: Dataset) -> tuple[str, ...]:
  """Of train, validation and test, those that the folder of a set has, no record in two of them.

  Raises:
    UserError: no such folder, or a part of its layout is missing.
  """
  root = existing_folder(root)
  named = _split_folders(root)
  if entry.split_by_layout:
    found = [split for split in entry.layouts if _search(named.get(split, root), entry, split)]
  else:
    found = named if len(entry.layouts) > 1 else ()
  found = {*found} or {*entry.splits[:2]}
  if "train" in found:
    found |= {*TRAINING}
  return tuple(split for split in entry.splits if split in found)


def find_pairs(root: pathlib.Path, entry: Dataset, split: str) -> tuple[str, str, list[Pair]]:
  """(layout, pairing, pairs) of `split` at `root` or one folder below it; of "all", all splits'.

  Raises:
    UserError: no pairs in a known layout, or a part of it is missing.
  """
  folders = {split: root}
  if split == "all":
    named = _split_folders(root)
    folders = named or {"test": root}
    if entry.split_by_layout:
      folders = {split: named.get(split, root) for split in entry.layouts}
  found = {split: _search(folder, entry, split) for split, folder in folders.items()}
  if not all(found.values()) and not (entry.split_by_layout and any(found.values())):
    missing = next(split for split, pairs in found.items() if not pairs)
    layout = " or ".join(entry.finders(missing))
    of = f"{entry.title}'s split {missing}, " if entry.title else ""
    raise UserError(
      f"{folders[missing]}: no LDR/HDR pairs in the layout {layout}; expected {of}{entry.expected}"
    )
  layouts, pairings, pairs = zip(*filter(None, found.values()), strict=True)
  layout, pairing = (" and ".join(dict.fromkeys(names)) for names in (layouts, pairings))
  return layout, pairing, list(itertools.chain(*pairs))


def _search(root, entry, split):
  """(layout, pairing, pairs) at `root` or one folder below it, None where there are none."""
  for folder in (root, *_subfolders(root)):
    for layout in entry.finders(split):
      pairing, found = FINDERS[layout](folder, entry)
      if found:
        return layout, pairing, found
  return None


def find_ntire21(root, _):
  """Pairs of NTIRE 2021's layout."""
  photos, truths, ratios = (
    {path.name.removesuffix(ending) for path in root.glob(f"*{ending}")}
    for ending in NTIRE21_ENDINGS
  )
  if not photos | ratios:
    return "name", []  # some other set's PNGs
  pairs = []
  for name in sorted(photos | truths | ratios, key=_natural):
    files = [root / f"{name}{ending}" for ending in NTIRE21_ENDINGS]
    for path in files:
      if not path.is_file():
        raise UserError(f"{path}: missing; add it or remove the other files of scene {name}")
    pairs.append(Pair(name, name, *files))
  return "name", pairs


def find_scenes(root, _):
  """Pairs of one folder each."""
  pairs = []
  for folder in _subfolders(root):
    ldrs, hdrs = (
      [path for path in _images(folder, suffixes) if path.stem.lower() == stem]
      for stem, suffixes in (("input", image_io.LDR_SUFFIXES), ("gt", GROUND_TRUTH_SUFFIXES))
    )
    if bool(ldrs) != bool(hdrs):
      missing = "gt.hdr" if ldrs else "input.jpg"
      raise UserError(f"{folder}: has no {missing}; add it or remove the folder")
    if len(ldrs) > 1 or len(hdrs) > 1:
      one, two = (ldrs if len(ldrs) > 1 else hdrs)[:2]
      raise UserError(f"{folder}: has both {one.name} and {two.name}; remove one of them")
    if ldrs:
      pairs.append(Pair(folder.name, folder.name, ldrs[0], hdrs[0]))
  return "name", pairs


def find_folders(root, entry):
  """Pairs of two folders; each half may be nested (`input/clip_95/001.png`)."""
  folders = {folder.name.lower(): folder for folder in _subfolders(root)}
  ldr_root, hdr_root = (
    next((folders[name] for name in names if name in folders), None)
    for names in (LDR_FOLDERS, HDR_FOLDERS)
  )
  if not (ldr_root or hdr_root):
    return "stem", []
  if not (ldr_root and hdr_root):
    wanted = HDR_FOLDERS if hdr_root is None else LDR_FOLDERS
    raise UserError(
      f"{root}: has {(ldr_root or hdr_root).name} but not its other half; "
      f"add a folder named {' or '.join(wanted)}"
    )
  ldrs = _images(ldr_root, image_io.LDR_SUFFIXES, nested=True)
  hdrs = _images(hdr_root, GROUND_TRUTH_SUFFIXES, nested=True)
  for folder, files in ((ldr_root, ldrs), (hdr_root, hdrs)):
    if not files:
      raise UserError(f"{folder}: holds no images; put the files of the pairs there")
  if entry.variant:
    ldrs = [path for path in ldrs if entry.variant in path.relative_to(ldr_root).parts]
    if not ldrs:
      raise UserError(
        f"{ldr_root}: has no {entry.variant}; unpack it there or choose another variant"
      )
  return _match(ldr_root, ldrs, hdr_root, hdrs, entry.pairing)


FINDERS = {"ntire21": find_ntire21, "scenes": find_scenes, "folders": find_folders}


def _match(ldr_root, ldrs, hdr_root, hdrs, pairing):
  """Pairs by stem, or by order where `pairing` and the stems allow it."""
  names = [_name(path, ldr_root) for path in ldrs]
  ldr_keys, hdr_keys = [path.stem for path in ldrs], [path.stem for path in hdrs]
  if len(set(hdr_keys)) < len(hdrs):  # subfolders repeat the stems: their names count too
    ldr_keys, hdr_keys = names, [_name(path, hdr_root) for path in hdrs]
  partners = dict(zip(hdr_keys, hdrs, strict=True))
  if len(partners) < len(hdrs):
    twin = next(path for key, path in zip(hdr_keys, hdrs, strict=True) if partners[key] != path)
    raise UserError(f"{twin}: another ground truth has the same stem; remove or rename one")
  unpaired = [path for key, path in zip(ldr_keys, ldrs, strict=True) if key not in partners]
  spare = sorted(partners.keys() - set(ldr_keys))
  if not unpaired and not spare:
    rows = zip(names, ldr_keys, ldrs, strict=True)
    return "stem", [Pair(name, key, ldr, partners[key]) for name, key, ldr in rows]
  if len(ldrs) == len(hdrs) and _order_fits(ldr_keys, hdr_keys, pairing):
    return "order", [Pair(*row) for row in zip(names, names, ldrs, hdrs, strict=True)]
  culprit = unpaired[0] if unpaired else partners[spare[0]]
  raise UserError(
    f"{culprit}: has no partner ({len(ldrs)} images in {ldr_root.name}, {len(hdrs)} in "
    f"{hdr_root.name}); add the partner with the same stem, or remove the file"
  )


def _order_fits(ldr_keys, hdr_keys, pairing):
  """Whether equally long lists may be paired by order: equal stems must stay together."""
  common = set(ldr_keys) & set(hdr_keys)
  if pairing != "order":
    return pairing == "either" and not common
  return all(
    ldr == hdr or not {ldr, hdr} & common for ldr, hdr in zip(ldr_keys, hdr_keys, strict=True)
  )


def _name(path, root):
  """Path below `root` without suffix; a folder that an archive repeats counts once."""
  *folders, stem = path.relative_to(root).with_suffix("").parts
  return "/".join([*(folder for folder, _ in itertools.groupby(folders)), stem])


def _split_folders(root):
  """{split: folder} for the split folders in `root`, or one folder below it."""
  for folder in (root, *_subfolders(root)):
    folders = {sub.name.lower(): sub for sub in _subfolders(folder)}
    named = {
      split: folders[name]
      for split, names in SPLIT_FOLDERS.items()
      for name in names
      if name in folders
    }
    if named:
      return named
  return {}


def _subfolders(root):
  """Of a folder, sorted, without hidden ones."""
  return sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")


def _images(root, suffixes, *, nested=False):
  """Image files in natural order: 2 before 10."""
  files = [
    path
    for path in (root.rglob if nested else root.glob)("*")
    if path.suffix.lower() in suffixes and path.is_file() and path.name[0] != "."
  ]
  return sorted(files, key=lambda path: _natural(path.relative_to(root).as_posix()))


def _natural(name):
  return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def validation_groups(groups, share: float) -> set[str]:
  """A fixed `share` (at least one, never all) of the group names, chosen by their hashes."""
  ranked = sorted(set(groups), key=lambda name: hashlib.sha256(name.encode()).digest())
  count = math.ceil(share * len(ranked) - 1e-9)
  return set(ranked[: min(count, len(ranked) - 1)])


def fingerprint(*texts: str, files) -> str:
  """A hash, the same in every process, of texts and of the states of files.

  A file counts by its name, size and time of change, so nothing is read; one that is missing
  counts as such.
  """
  state = list(texts)
  for path in files:
    try:
      status = path.stat()
      state += [path.name, f"{status.st_size} {status.st_mtime_ns}"]
    except OSError:
      state += [path.name, "missing"]
  return hashlib.sha256("\0".join(state).encode()).hexdigest()[:16]
