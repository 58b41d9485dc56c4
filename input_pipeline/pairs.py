"""Folders of LDR/HDR pairs, in the layouts that the field uses.

Layouts, in the order of `layout="auto"`:
- `ntire21`: `NNNN_medium.png`, `NNNN_gt.png` (16-bit) and `NNNN_alignratio.npy` side by side;
  radiance = (png / alignratio) ^ 2.24.
- `scenes`: one folder a pair, `NNNNN/{input.jpg,gt.hdr}`.
- `folders`: two folders, `LDR_in` + `HDR_gt` (or `ldr` + `hdr`, `input` + `reference`, any case),
  paired by stem, or by sorted order where the counts agree and no stem does.
The layout may lie one folder deeper, and folders `train`, `validation` or `test` name the split.

The radiance of such sets has an arbitrary scale per image: `clip_gain` brings it to the project's
(1.0 = where the LDR's sensor clips).
"""

import dataclasses
import pathlib
import re

import numpy as np

from expocm_jax import image_io
from expocm_jax.errors import UserError
from input_pipeline.sources import validation_groups

LDR_FOLDERS = ("ldr_in", "ldr", "input")
HDR_FOLDERS = ("hdr_gt", "hdr", "reference", "gt")
SPLIT_FOLDERS = {
  "train": ("train", "training"),
  "validation": ("validation", "valid", "val"),
  "test": ("test", "testing"),
}
NTIRE21_GAMMA = 2.24  # the encoding of the set's ground truth
_SAMPLES = 100_000  # pixels that the gain is measured on


@dataclasses.dataclass(frozen=True)
class Pair:
  """Where one pair lies; `align` is NTIRE 2021's `alignratio` file, None elsewhere."""

  name: str
  ldr: pathlib.Path
  hdr: pathlib.Path
  align: pathlib.Path | None = None


class PairFolder:
  """Random access to pairs: `{"ldr", "hdr", "name"}`, images [H, W, 3] float32 of full size.

  `ldr` is display-referred sRGB in [0, 1]; `hdr` linear BT.709 radiance >= 0, 1.0 = sensor clip.
  `pairing` tells how the pairs were found: "name", "stem" or "order".

  Without split folders `train` and `validation` divide the pairs by `validation_share`, and both
  `test` and `all` are the whole folder: sets made for testing come in a folder of their own.

  Raises:
    UserError: no such folder, no pairs in a known layout, an unpaired half; on access, an
      unreadable file or a pair of different sizes.
  """

  def __init__(self, root, *, layout="auto", split="train", validation_share=0.1):
    root = pathlib.Path(root)
    if not root.is_dir():
      raise UserError(f"{root}: no such folder; give the folder of the pairs as data.root")
    finders = {"ntire21": _find_ntire21, "scenes": _find_scenes, "folders": _find_folders}
    if layout != "auto" and layout not in finders:
      raise UserError(f"data.layout={layout}: unknown; choose one of auto, {', '.join(finders)}")
    self._finders = finders if layout == "auto" else {layout: finders[layout]}
    self.root = root
    self.layout, self.pairing, self.pairs = self._select(split, validation_share)

  def __len__(self):
    return len(self.pairs)

  def __getitem__(self, index):
    pair = self.pairs[index]
    ldr = image_io.read_ldr(pair.ldr)
    hdr = _read_ntire21(pair) if pair.align else image_io.read_hdr(pair.hdr)
    if ldr.shape != hdr.shape:
      sizes = " and ".join(f"{i.shape[1]}x{i.shape[0]}" for i in (ldr, hdr))
      raise UserError(
        f"{pair.hdr}: LDR and HDR differ in size ({sizes}); "
        f"resize one or remove the pair ({pair.ldr.name})"
      )
    return {"ldr": ldr, "hdr": hdr * clip_gain(ldr, hdr), "name": pair.name}

  def _select(self, split, validation_share):
    """(layout, pairing, pairs) of one split."""
    named = _split_folders(self.root)
    if split in named:
      found = self._find(named[split])
    elif named and split == "all":
      parts = [self._find(folder) for folder in named.values()]
      return *parts[0][:2], [pair for part in parts for pair in part[2]]
    elif named and split == "test" or (named and "train" not in named):
      raise UserError(f"{self.root}: has no {split} folder; add one or name another split")
    else:
      found = self._find(named.get("train", self.root))
    if split in ("test", "all") or "validation" in named:
      return found
    return *found[:2], _share(found[2], split, validation_share, self.root)

  def _find(self, root):
    """(layout, pairing, pairs) at `root` or one folder below it."""
    for folder in (root, *_subfolders(root)):
      for layout, finder in self._finders.items():
        pairing, pairs = finder(folder)
        if pairs:
          return layout, pairing, pairs
    raise UserError(
      f"{root}: no LDR/HDR pairs in the layout {' or '.join(self._finders)}; "
      "expected e.g. LDR_in/ and HDR_gt/, or NNNNN/input.jpg with NNNNN/gt.hdr"
    )


def clip_gain(ldr, hdr):
  """The factor that brings `hdr` to relative radiance, 1.0 = where the LDR's sensor clips.

  Median over the well-exposed pixels (all channels of the LDR in [0.1, 0.9]) of the linearised
  LDR over the radiance, channels summed. The median shrugs off misaligned edges and highlights.
  With fewer than 1 % such pixels (at least 16) all pixels that neither clip nor are black serve;
  where there are none of these, an LDR with light in it is clipped throughout and its dimmest
  pixel (1st percentile of the radiance) is set to 1.0; a black one leaves the scale alone.

  Args:
    ldr: [H, W, 3] display-referred sRGB in [0, 1].
    hdr: [H, W, 3] linear radiance >= 0, any scale.

  Returns:
    float32 scalar > 0.
  """
  step = max(1, int(np.sqrt(ldr.shape[0] * ldr.shape[1] / _SAMPLES)))
  ldr = ldr[::step, ::step].reshape(-1, 3).astype(np.float64)
  radiance = hdr[::step, ::step].reshape(-1, 3).astype(np.float64).sum(axis=-1)
  low, high, seen = ldr.min(axis=-1), ldr.max(axis=-1), radiance > 0
  good = seen & (low >= 0.1) & (high <= 0.9)
  if good.sum() < max(16, 0.01 * good.size):
    good = seen & (low > 0.01) & (high < 0.99)
  if good.any():
    return np.float32(np.median(_srgb_to_linear(ldr[good]).sum(axis=-1) / radiance[good]))
  if seen.any() and np.median(high) >= 0.99:
    return np.float32(3.0 / np.percentile(radiance[seen], 1.0))
  return np.float32(1.0)


def _srgb_to_linear(x):
  """IEC 61966-2-1, on the host."""
  return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def _read_ntire21(pair):
  """[H, W, 3] float32 linear radiance of NTIRE 2021's 16-bit, gamma-encoded ground truth."""
  try:
    ratio = float(np.load(pair.align, allow_pickle=False))
  except (OSError, ValueError, TypeError, EOFError) as error:
    raise UserError(f"{pair.align}: not a number in .npy format; unpack the set again") from error
  if not ratio > 0:
    raise UserError(f"{pair.align}: {ratio} is not a positive ratio; unpack the set again")
  return (image_io.read_ldr(pair.hdr) * np.float32(65535.0 / ratio)) ** np.float32(NTIRE21_GAMMA)


def _find_ntire21(root):
  pairs = []
  for ldr in sorted(root.glob("*_medium.png")):
    name = ldr.name.removesuffix("_medium.png")
    hdr, align = root / f"{name}_gt.png", root / f"{name}_alignratio.npy"
    for path in (hdr, align):
      if not path.is_file():
        raise UserError(f"{path}: missing beside {ldr.name}; add it or remove the scene {name}")
    pairs.append(Pair(name, ldr, hdr, align))
  return "name", pairs


def _find_scenes(root):
  pairs = []
  for folder in _subfolders(root):
    files = {
      path.stem.lower(): path
      for path in _images(folder, image_io.LDR_SUFFIXES)
      if path.stem.lower() == "input"
    }
    files |= {
      path.stem.lower(): path
      for path in _images(folder, image_io.HDR_SUFFIXES)
      if path.stem.lower() == "gt"
    }
    if len(files) == 1:
      missing = "gt.hdr" if "input" in files else "input.jpg"
      raise UserError(f"{folder}: has no {missing}; add it or remove the folder")
    if files:
      pairs.append(Pair(folder.name, files["input"], files["gt"]))
  return "name", pairs


def _find_folders(root):
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
  hdrs = _images(hdr_root, image_io.HDR_SUFFIXES, nested=True)
  for folder, files in ((ldr_root, ldrs), (hdr_root, hdrs)):
    if not files:
      raise UserError(f"{folder}: holds no images; put the files of the pairs there")
  return _match(ldr_root, ldrs, hdr_root, hdrs)


def _match(ldr_root, ldrs, hdr_root, hdrs):
  """Pairs by stem, or by order where the counts agree and no stem does."""
  by_stem = {path.stem: path for path in hdrs}
  names = [path.relative_to(ldr_root).with_suffix("").as_posix() for path in ldrs]
  unpaired = [path for path in ldrs if path.stem not in by_stem]
  spare = sorted(by_stem.keys() - {path.stem for path in ldrs})
  if not unpaired and not spare:
    return "stem", [
      Pair(name, ldr, by_stem[ldr.stem]) for name, ldr in zip(names, ldrs, strict=True)
    ]
  if len(ldrs) == len(hdrs) and len(unpaired) == len(ldrs):
    return "order", [Pair(*pair) for pair in zip(names, ldrs, hdrs, strict=True)]
  culprit = unpaired[0] if unpaired else by_stem[spare[0]]
  raise UserError(
    f"{culprit}: has no partner ({len(ldrs)} images in {ldr_root.name}, {len(hdrs)} in "
    f"{hdr_root.name}); add the partner with the same stem, or remove the file"
  )


def _share(pairs, split, validation_share, root):
  """The train or validation part of `pairs`, by a hash of their names."""
  if split not in ("train", "validation"):
    raise UserError(f"{root}: unknown split {split!r}; use train, validation, test or all")
  held_out = validation_groups([pair.name for pair in pairs], validation_share)
  chosen = [pair for pair in pairs if (pair.name in held_out) == (split == "validation")]
  if not chosen:
    raise UserError(
      f"{root}: no pair left for {split} of {len(pairs)}; add pairs or change data.validation_share"
    )
  return chosen


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
