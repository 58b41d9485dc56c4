"""Prepared sets: fixed views of any source, written once as ArrayRecord by TFDS, no TensorFlow.

`prepare` writes `OUT/exposure_pairs/1.0.0/`, with `ldr` uint8 and `hdr` float16, both zlib
compressed [size, size, 3]; `open_prepared` reads one split of it by index. float16 keeps
relative radiance in [0, headroom] to 0.05 %, below a photo's quantisation.
"""

import contextlib
import errno
import io
import os
import pathlib
import tempfile

import numpy as np
import tensorflow_datasets as tfds
import tqdm

from expocm_jax.errors import UserError

NAME = "exposure_pairs"
DESCRIPTION = """LDR/HDR pairs: `ldr` display-referred sRGB, `hdr` linear BT.709 relative radiance
(1.0 = where the LDR's sensor clips)."""


class ExposurePairs(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Writes the records of `splits`: {split: (number of records, iterable of (key, record))}."""

  name = NAME
  VERSION = tfds.core.Version("1.0.0")
  pkg_dir_path = pathlib.Path(__file__).parent

  def __init__(self, *, splits, size, data_dir):
    self._splits, self._size = splits, size
    super().__init__(data_dir=data_dir, file_format="array_record")

  def _info(self):
    shape = (self._size, self._size, 3)
    return tfds.core.DatasetInfo(
      builder=self,
      description=DESCRIPTION,
      features=tfds.features.FeaturesDict(
        {
          # `features.Image` would import TensorFlow.
          "ldr": tfds.features.Tensor(shape=shape, dtype=np.uint8, encoding="zlib"),
          "hdr": tfds.features.Tensor(shape=shape, dtype=np.float16, encoding="zlib"),
          "name": tfds.features.Text(),
        }
      ),
    )

  def _split_generators(self, dl_manager):
    del dl_manager  # nothing is downloaded
    return {split: self._generate_examples(split) for split in self._splits}

  def _generate_examples(self, split):
    count, records = self._splits[split]
    for key, record in tqdm.tqdm(enumerate(records), total=count, desc=split, unit="record"):
      yield (
        key,
        {
          "ldr": np.rint(record["ldr"] * 255.0).astype(np.uint8),
          "hdr": record["hdr"].astype(np.float16),
          "name": record["name"],
        },
      )


def write_prepared(splits, out_dir, *, size):
  """Writes records as a prepared set; a split of the set appears whole or not at all.

  Args:
    splits: {split: (number of records, iterable of dict(ldr, hdr, name))}, images
      [size, size, 3] float32, ldr in [0, 1], hdr relative radiance up to 65504.
    out_dir: folder to write to, made if missing.
    size: side of the images, pixels.

  Returns:
    {split: number of records written}.

  Raises:
    UserError: `out_dir` holds a prepared set already, cannot be written, or the disk is full.
  """
  out_dir = pathlib.Path(out_dir)
  if _prepared_folders(out_dir):
    raise UserError(f"{out_dir}: holds a prepared set already; remove it or choose another folder")
  tfds.disable_progress_bar()  # ours counts records against their known number
  try:
    out_dir.mkdir(parents=True, exist_ok=True)
    builder = ExposurePairs(splits=splits, size=size, data_dir=out_dir)
    # TFDS announces a download and makes a folder for it: neither is of use here.
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as unused:
      builder.download_and_prepare(download_dir=unused)
  except (OSError, RuntimeError) as error:
    mistake = _write_mistake(error, out_dir)
    if mistake is None:
      raise
    raise UserError(mistake) from error
  finally:
    tfds.enable_progress_bar()
  return {split: info.num_examples for split, info in builder.info.splits.items()}


def _write_mistake(error, out_dir):
  """`error` told as something that the user can mend; None where it is not."""
  full = os.strerror(errno.ENOSPC)
  if full in str(error):  # ArrayRecord's C++ gives a RuntimeError
    return f"{out_dir}: {full}; free some space or choose another folder"
  if isinstance(error, OSError):
    reason = error.strerror or error
    return f"{out_dir}: cannot be written ({reason}); choose another folder"
  return None


class PreparedPairs:
  """One split of a prepared set: random access to {"ldr", "hdr", "name"} as `PairFolder` gives.

  The files are opened on first use and again in every process that this is sent to.
  """

  def __init__(self, folder, split, length):
    self._folder, self._split, self._length = folder, split, length
    self._records = None

  def __getstate__(self):
    return dict(self.__dict__, _records=None)

  def __len__(self):
    return self._length

  def __getitem__(self, index):
    if self._records is None:
      builder = tfds.builder_from_directory(self._folder)
      self._records = builder.as_data_source(split=self._split)
    record = self._records[index]
    return {
      "ldr": record["ldr"].astype(np.float32) / np.float32(255.0),
      "hdr": record["hdr"].astype(np.float32),
      "name": record["name"].decode(),
    }


def open_prepared(root, split):
  """The records of one split ("all": of every one) of the prepared set at `root`.

  Raises:
    UserError: `root` holds no prepared set, or not this split.
  """
  root = pathlib.Path(root)
  found = _prepared_folders(root)
  if len(found) != 1:
    raise UserError(
      f"{root}: holds {len(found) or 'no'} prepared set{'s'[: len(found)]}; "
      "give a folder that --mode=prepare wrote"
    )
  folder = found[0]
  splits = tfds.builder_from_directory(folder).info.splits
  wanted = "+".join(splits) if split == "all" else split
  if wanted not in splits and split != "all":
    raise UserError(f"{folder}: has no split {split}; it has {', '.join(splits)}")
  return PreparedPairs(folder, wanted, splits[wanted].num_examples)


def _prepared_folders(root):
  """Folders of finished sets at or below `root`; TFDS names the others `*.incomplete.*`."""
  return sorted(
    path.parent for path in root.glob("**/features.json") if "incomplete" not in path.parent.name
  )
