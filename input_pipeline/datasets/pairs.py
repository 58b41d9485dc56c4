"""Folders of LDR/HDR pairs, in the layouts of `layouts` and of the sets of `catalogue`.

The radiance of such sets has an arbitrary scale per image: `clip_gain` brings it to the project's
(1.0 = where the LDR's sensor clips).
"""

import dataclasses

import numpy as np

from expocm_jax import image_io
from expocm_jax.errors import UserError
from input_pipeline.datasets import catalogue, layouts
from input_pipeline.datasets.hdr_folder import fingerprint, validation_groups

NTIRE21_GAMMA = 2.24  # the encoding of the set's ground truth
_SAMPLES = 100_000  # pixels that the gain is measured on


class PairFolder:
  """Random access to pairs: `{"ldr", "hdr", "name", "scene"}`, images [H, W, 3] float32, whole.

  `ldr` is display-referred sRGB in [0, 1]; `hdr` linear BT.709 radiance >= 0, 1.0 = sensor clip;
  photos of one ground truth share their `scene`. `read` gives the radiance as the file has it.
  `pairing` tells how the pairs were found: "name", "stem" or "order" (of split "all" also e.g.
  "order and name").

  The layout may lie one folder deeper. Folders `train`, `validation` and `test` name the split.
  Without them `train` and `validation` divide the training pairs by `validation_share`, and
  `test` is, of a set whose test pairs have a layout of their own, these, else the whole folder.

  Args:
    root: the folder.
    layout: of `dataset="folder"` alone: "auto", or one of `layouts.FINDERS`.
    dataset: "key" or "key/variant" of `catalogue.DATASETS`.
    split: "train", "validation", "test" or "all".
    validation_share: of the training pairs.

  Raises:
    UserError: no such folder, dataset or split, no pairs in a known layout, an unpaired half; on
      access, an unreadable file or a pair of different sizes.
  """

  def __init__(self, root, *, layout="auto", dataset="folder", split="train", validation_share=0.1):
    self.root = layouts.checked_folder(root)
    self.entry = _entry(dataset, layout)
    self.layout, self.pairing, self.pairs = self._select(split, validation_share)

  def __len__(self):
    return len(self.pairs)

  def __getitem__(self, index):
    record = self.read(index)
    gain = record.pop("gain")
    return record | {"hdr": record["hdr"] * gain}

  def read(self, index):
    """As `self[index]`, with `hdr` in the file's scale and the `gain` that brings it to ours."""
    pair = self.pairs[index]
    ldr = image_io.read_ldr(pair.ldr)
    hdr = _read_ntire21(pair) if pair.align else image_io.read_hdr(pair.hdr)
    if ldr.shape != hdr.shape:
      sizes = " and ".join(f"{i.shape[1]}x{i.shape[0]}" for i in (ldr, hdr))
      raise UserError(
        f"{pair.hdr}: LDR and HDR differ in size ({sizes}); "
        f"resize one or remove the pair ({pair.ldr.name})"
      )
    gain = clip_gain(ldr, hdr)
    return {"ldr": ldr, "hdr": hdr, "gain": gain, "name": pair.name, "scene": pair.scene}

  @property
  def names(self) -> tuple[str, ...]:
    return tuple(pair.name for pair in self.pairs)

  def fingerprint(self, index) -> str:
    """Changes with the name of a record and with its files; nothing is read."""
    pair = self.pairs[index]
    return fingerprint(pair.name, *filter(None, (pair.ldr, pair.hdr, pair.align)))

  def _select(self, split, validation_share):
    """(layout, pairing, pairs) of one split."""
    entry, named = self.entry, layouts.split_folders(self.root)
    check_split(entry, split, self.root)
    if split == "all":
      return self._all(named)
    training = split in catalogue.TRAINING
    folder = named.get(split) or (named.get("train") if training else None)
    if folder is None and named and len(entry.layouts) > 1 and not entry.split_by_layout:
      raise UserError(f"{self.root}: has no {split} folder; add one or name another split")
    found = self._find(folder or self.root, split)
    if split == "test" or "validation" in named:
      return found
    return *found[:2], _share(found[2], split, validation_share, self.root)

  def _all(self, named):
    """(layout, pairing, pairs) of all splits together."""
    entry = self.entry
    if entry.split_by_layout:
      found = [_look(named.get(split, self.root), entry, split) for split in entry.layouts]
    elif named:
      found = [self._find(folder, split) for split, folder in named.items()]
    else:
      found = [_look(self.root, entry, "test")]
    found = [part for part in found if part] or [self._find(self.root, "test")]
    layout, pairing = (" and ".join(dict.fromkeys(part[i] for part in found)) for i in (0, 1))
    return layout, pairing, [pair for part in found for pair in part[2]]

  def _find(self, root, split):
    found, entry = _look(root, self.entry, split), self.entry
    if found is None:
      layout = " or ".join(_finders(entry, split))
      of = f"{entry.title}'s split {split}, " if entry.title else ""
      raise UserError(
        f"{root}: no LDR/HDR pairs in the layout {layout}; expected {of}{entry.expected}"
      )
    return found


def available_splits(root, *, layout="auto", dataset="folder"):
  """Of train, validation and test, those that a folder of pairs has, no pair in two of them.

  Raises:
    UserError: as `PairFolder`, or the folder has no pairs.
  """
  root, entry = layouts.checked_folder(root), _entry(dataset, layout)
  named = layouts.split_folders(root)
  if entry.split_by_layout:
    halves = {split: _look(named.get(split, root), entry, split) for split in entry.layouts}
    splits = tuple(s for s in entry.splits if halves["test" if s == "test" else "train"])
  elif named and len(entry.layouts) > 1:
    training = catalogue.TRAINING if "train" in named else ()
    splits = tuple(split for split in entry.splits if split in (*named, *training))
  else:
    splits = entry.splits[:2]
  if not splits:
    PairFolder(root, dataset=dataset, layout=layout, split="all")  # tells what is missing
  return splits


def check_split(entry, split, root):
  """Raises UserError where a dataset cannot have this split."""
  if split not in (*catalogue.SPLITS, "all"):
    raise UserError(f"{root}: unknown split {split!r}; use train, validation, test or all")
  if split not in (*entry.splits, "all"):
    raise UserError(
      f"{root}: {entry.title} has no split {split}; it has {' and '.join(entry.splits)}"
    )


def _entry(dataset, layout):
  entry = catalogue.find(dataset)
  if layout == "auto":
    return entry
  if layout not in layouts.FINDERS:
    known = ", ".join(layouts.FINDERS)
    raise UserError(f"data.layout={layout}: unknown; choose one of auto, {known}")
  if entry.key != "folder":
    raise UserError(
      f"data.layout={layout}: {entry.title} has a layout of its own; leave it at auto, "
      "or use data.dataset=folder"
    )
  return dataclasses.replace(entry, layouts={split: (layout,) for split in entry.layouts})


def _finders(entry, split):
  return entry.layouts["test" if split == "test" or "train" not in entry.layouts else "train"]


def _look(root, entry, split):
  """(layout, pairing, pairs) at `root` or one folder below it, None where there are none."""
  for folder in (root, *layouts.subfolders(root)):
    for layout in _finders(entry, split):
      pairing, found = layouts.FINDERS[layout](folder, entry)
      if found:
        return layout, pairing, found
  return None


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
    return np.float32(np.median(srgb_to_linear(ldr[good]).sum(axis=-1) / radiance[good]))
  if seen.any() and np.median(high) >= 0.99:
    return np.float32(3.0 / np.percentile(radiance[seen], 1.0))
  return np.float32(1.0)


def srgb_to_linear(x):
  """IEC 61966-2-1, on the host: display-referred [0, 1] to linear [0, 1]."""
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


def _share(pairs, split, validation_share, root):
  """The train or validation part of `pairs`, by a hash of their scenes."""
  held_out = validation_groups([pair.scene for pair in pairs], validation_share)
  chosen = [pair for pair in pairs if (pair.scene in held_out) == (split == "validation")]
  if not chosen:
    raise UserError(
      f"{root}: no pair left for {split} of {len(pairs)}; add pairs or change data.validation_share"
    )
  return chosen
