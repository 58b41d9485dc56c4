"""Folders of LDR/HDR pairs, in the layouts of `layouts` and of the sets of `catalogue`.

The radiance of such sets has an arbitrary scale per image: `clip_gain` brings it to the project's
(1.0 = where the LDR's sensor clips).
"""

import numpy as np

from expocm_jax import image_io
from expocm_jax.colorimetry import srgb_to_linear
from expocm_jax.errors import UserError
from input_pipeline.datasets import catalogue, layouts

NTIRE21_GAMMA = 2.24  # the encoding of the set's ground truth
_SAMPLES = 100_000  # pixels that the gain is measured on


class PairFolder:
  """Random access to pairs: `{"ldr", "hdr", "gain", "name", "scene"}`.

  `ldr` [H, W, 3] float32 is display-referred sRGB in [0, 1]; `hdr` [H, W, 3] float32 linear BT.709
  radiance >= 0 in the file's scale, which `gain` brings to 1.0 = sensor clip; photos of one ground
  truth share their `scene`. `pairing` tells how the pairs were found: "name", "stem" or "order"
  (of split "all" also e.g. "order and name").

  The layout may lie one folder deeper. Folders `train`, `validation` and `test` name the split.
  Without them `train` and `validation` divide the training pairs by `validation_share`, and
  `test` is, of a set whose test pairs have a layout of their own, these, else the whole folder.
  `dataset` is a "key" or "key/variant" of `catalogue.DATASETS`.

  Raises:
    UserError: no such folder or dataset, a split that the set does not have, no pairs in a known
      layout, an unpaired half; on access, an unreadable file or a pair of different sizes.
  """

  def __init__(self, root, *, dataset, split, validation_share):
    root, entry = layouts.existing_folder(root), catalogue.find(dataset)
    if split not in (*entry.splits, "all"):
      raise UserError(
        f"{root}: {entry.title} has no split {split}; it has {' and '.join(entry.splits)}"
      )
    folder, complete = layouts.split_folder(root, entry, split)
    self.layout, self.pairing, self.pairs = layouts.find_pairs(folder, entry, split)
    if split in catalogue.TRAINING and not complete:
      found = self.pairs
      held_out = layouts.validation_groups([pair.scene for pair in found], validation_share)
      self.pairs = [p for p in found if (p.scene in held_out) == (split == "validation")]
      if not self.pairs:
        raise UserError(
          f"{root}: no pair left for {split} of {len(found)}; "
          "add pairs or change data.validation_share"
        )

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
    gain = clip_gain(ldr, hdr)
    return {"ldr": ldr, "hdr": hdr, "gain": gain, "name": pair.name, "scene": pair.scene}

  def fingerprint(self, index) -> str:
    """Changes with the name of a record and with its files; nothing is read."""
    pair = self.pairs[index]
    return layouts.fingerprint(pair.name, files=filter(None, (pair.ldr, pair.hdr, pair.align)))


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


def _read_ntire21(pair):
  """[H, W, 3] float32 linear radiance of NTIRE 2021's 16-bit, gamma-encoded ground truth."""
  try:
    ratio = float(np.load(pair.align, allow_pickle=False))
  except (OSError, ValueError, TypeError, EOFError) as error:
    raise UserError(f"{pair.align}: not a number in .npy format; unpack the set again") from error
  if not ratio > 0:
    raise UserError(f"{pair.align}: {ratio} is not a positive ratio; unpack the set again")
  return (image_io.read_ldr(pair.hdr) * np.float32(65535.0 / ratio)) ** np.float32(NTIRE21_GAMMA)


def crop_and_flip(pair, rng, *, size, headroom):
  """A random square of a pair, mirrored left to right half of the time.

  Pairs smaller than the square are first extended by reflection.

  Args:
    pair: dict(ldr, hdr, gain, ...) as of `PairFolder`.
    rng: numpy Generator; the result depends on it and the pair alone.
    size: side of the square, pixels; None keeps the whole image as it is.
    headroom: largest relative radiance kept.

  Returns:
    dict(ldr [size, size, 3] float32 in [0, 1], hdr [size, size, 3] float32 in [0, headroom]).
  """
  ldr, hdr = pair["ldr"], pair["hdr"]
  if size is not None:
    ldr, hdr = reflect_to(ldr, size), reflect_to(hdr, size)
    top = rng.integers(ldr.shape[0] - size + 1)
    left = rng.integers(ldr.shape[1] - size + 1)
    step = -1 if rng.random() < 0.5 else 1
    ldr, hdr = (i[top : top + size, left : left + size][:, ::step] for i in (ldr, hdr))
  return {
    "ldr": np.ascontiguousarray(np.clip(ldr, 0.0, 1.0), np.float32),
    "hdr": np.ascontiguousarray(np.clip(hdr * pair["gain"], 0.0, headroom), np.float32),
  }


def reflect_to(image, size):
  """`image` [H, W, 3] extended by reflection, evenly on both sides, to at least size x size."""
  missing = [max(0, size - side) for side in image.shape[:2]]
  if not any(missing):
    return image
  widths = [(m // 2, m - m // 2) for m in missing] + [(0, 0)]
  return np.pad(image, widths, mode="reflect")
