"""How pairs lie on disk: finders that turn a folder into a list of pairs.

- `ntire21`: `NNNN_medium.png`, `NNNN_gt.png` (16-bit) and `NNNN_alignratio.npy` side by side.
- `scenes`: one folder a pair, `NNNNN/{input.jpg,gt.hdr}`; a `gt.png` beside them is ignored.
- `folders`: two folders, `LDR_in` + `HDR_gt` (or `ldr` + `hdr`, `input` + `reference`, any case).

A finder gives (how the pairs were found: "name", "stem" or "order"; the pairs, none where the
layout is another). It raises `UserError` where the layout is this one but a part is missing.
"""

import dataclasses
import itertools
import pathlib
import re

from expocm_jax import image_io
from expocm_jax.errors import UserError

LDR_FOLDERS = ("ldr_in", "ldr", "input")
HDR_FOLDERS = ("hdr_gt", "hdr", "reference", "gt")
SPLIT_FOLDERS = {
  "train": ("train", "training"),
  "validation": ("validation", "valid", "val"),
  "test": ("test", "testing"),
}
GROUND_TRUTH_SUFFIXES = (*image_io.HDR_SUFFIXES, ".npy")


@dataclasses.dataclass(frozen=True)
class Pair:
  """Where one pair lies; `align` is NTIRE 2021's `alignratio` file, None elsewhere.

  `name` is unique in a set; `scene` is shared by several photos of one ground truth.
  """

  name: str
  ldr: pathlib.Path
  hdr: pathlib.Path
  align: pathlib.Path | None = None
  scene: str = ""

  def __post_init__(self):
    object.__setattr__(self, "scene", self.scene or self.name)


def find_ntire21(root, entry):
  """Pairs of NTIRE 2021's layout."""
  del entry  # nothing to choose
  parts = {"medium": ".png", "gt": ".png", "alignratio": ".npy"}
  names = {
    path.name.removesuffix(f"_{part}{suffix}")
    for part, suffix in parts.items()
    for path in root.glob(f"*_{part}{suffix}")
  }
  if not any((root / f"{name}_medium.png").is_file() for name in names):
    if not any((root / f"{name}_alignratio.npy").is_file() for name in names):
      return "name", []  # some other set's PNGs
  pairs = []
  for name in sorted(names, key=_natural):
    ldr, hdr, align = (root / f"{name}_{part}{suffix}" for part, suffix in parts.items())
    for path in (ldr, hdr, align):
      if not path.is_file():
        raise UserError(f"{path}: missing; add it or remove the other files of scene {name}")
    pairs.append(Pair(name, ldr, hdr, align))
  return "name", pairs


def find_scenes(root, entry):
  """Pairs of one folder each."""
  del entry
  pairs = []
  for folder in subfolders(root):
    ldrs, hdrs = (
      [path for path in images(folder, suffixes) if path.stem.lower() == stem]
      for stem, suffixes in (("input", image_io.LDR_SUFFIXES), ("gt", GROUND_TRUTH_SUFFIXES))
    )
    if bool(ldrs) != bool(hdrs):
      missing = "gt.hdr" if ldrs else "input.jpg"
      raise UserError(f"{folder}: has no {missing}; add it or remove the folder")
    if len(ldrs) > 1 or len(hdrs) > 1:
      one, two = (ldrs if len(ldrs) > 1 else hdrs)[:2]
      raise UserError(f"{folder}: has both {one.name} and {two.name}; remove one of them")
    if ldrs:
      pairs.append(Pair(folder.name, ldrs[0], hdrs[0]))
  return "name", pairs


def find_folders(root, entry):
  """Pairs of two folders; each half may be nested (`input/clip_95/001.png`)."""
  folders = {folder.name.lower(): folder for folder in subfolders(root)}
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
  ldrs = images(ldr_root, image_io.LDR_SUFFIXES, nested=True)
  hdrs = images(hdr_root, GROUND_TRUTH_SUFFIXES, nested=True)
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
    rows = zip(names, ldrs, ldr_keys, strict=True)
    return "stem", [Pair(name, ldr, partners[key], scene=key) for name, ldr, key in rows]
  if len(ldrs) == len(hdrs) and _order_fits(ldr_keys, hdr_keys, pairing):
    return "order", [Pair(*pair) for pair in zip(names, ldrs, hdrs, strict=True)]
  culprit = unpaired[0] if unpaired else partners[spare[0]]
  raise UserError(
    f"{culprit}: has no partner ({len(ldrs)} images in {ldr_root.name}, {len(hdrs)} in "
    f"{hdr_root.name}); add the partner with the same stem, or remove the file"
  )


def _order_fits(ldr_keys, hdr_keys, pairing):
  """Whether equally long lists may be paired by order: equal stems must stay together."""
  if pairing == "stem":
    return False
  common = set(ldr_keys) & set(hdr_keys)
  if pairing == "either":
    return not common
  return all(
    ldr == hdr or not {ldr, hdr} & common for ldr, hdr in zip(ldr_keys, hdr_keys, strict=True)
  )


def _name(path, root):
  """Path below `root` without suffix; a folder that an archive repeats counts once."""
  *folders, stem = path.relative_to(root).with_suffix("").parts
  return "/".join([*(folder for folder, _ in itertools.groupby(folders)), stem])


def checked_folder(root):
  """`root` as a path, if it is a folder."""
  root = pathlib.Path(root)
  if not root.is_dir():
    raise UserError(f"{root}: no such folder; give the folder of the set as data.root")
  return root


def split_folders(root):
  """{split: folder} for the split folders in `root`, or one folder below it."""
  for folder in (root, *subfolders(root)):
    folders = {sub.name.lower(): sub for sub in subfolders(folder)}
    named = {
      split: folders[name]
      for split, names in SPLIT_FOLDERS.items()
      for name in names
      if name in folders
    }
    if named:
      return named
  return {}


def subfolders(root):
  """Of a folder, sorted, without hidden ones."""
  return sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")


def images(root, suffixes, *, nested=False):
  """Image files in natural order: 2 before 10."""
  files = [
    path
    for path in (root.rglob if nested else root.glob)("*")
    if path.suffix.lower() in suffixes and path.is_file() and path.name[0] != "."
  ]
  return sorted(files, key=lambda path: _natural(path.relative_to(root).as_posix()))


def _natural(name):
  return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
