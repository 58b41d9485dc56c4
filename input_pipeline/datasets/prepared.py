"""Prepared sets: pairs written once as ArrayRecord by TFDS, and read by index; no TensorFlow.

Two kinds, both with zlib-compressed tensors:
- fixed views of any source, all of one size: `OUT/exposure_pairs/1.0.0/`, `hdr` float16, which
  keeps relative radiance up to 65504 to 0.05 %, below a photo's quantisation;
- a dataset of the catalogue, whole images of any size: `OUT/hdr_real/1.0.0/`, `hdr` float32 in the
  file's own scale with the `gain` that brings it to relative radiance, so nothing is lost.
`ldr` is uint8 in both.
"""

import contextlib
import errno
import functools
import io
import os
import pathlib
import tempfile

import numpy as np
import tensorflow_datasets as tfds
import tqdm

from expocm_jax.errors import UserError
from input_pipeline.datasets import catalogue, layouts
from input_pipeline.datasets.hdr_folder import HALF_MAX

NAME = "exposure_pairs"
DESCRIPTION = "LDR/HDR pairs: `ldr` display-referred sRGB, `hdr` linear BT.709 "
RELATIVE = "relative radiance, 1.0 = where the LDR's sensor clips."
AS_STORED = "radiance in the set's scale; times `gain`, 1.0 = where the LDR's sensor clips."


class Pairs(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Writes the records of `splits`: {split: (number of records, iterable of record)}.

  With an `entry` of the catalogue it is that dataset's builder and bears its name.
  """

  name = NAME
  VERSION = tfds.core.Version("1.0.0")
  pkg_dir_path = pathlib.Path(__file__).parent

  def __init__(self, *, splits, size, entry, data_dir):
    self._splits, self._size, self._entry = splits, size, entry
    self.name = entry.builder if entry else NAME
    super().__init__(data_dir=data_dir, file_format="array_record")

  def _info(self):
    entry = self._entry
    # `features.Image` would import TensorFlow.
    image = functools.partial(
      tfds.features.Tensor, shape=(self._size, self._size, 3), encoding="zlib"
    )
    features = {
      "ldr": image(dtype=np.uint8),
      "hdr": image(dtype=np.float32 if entry else np.float16),
      "name": tfds.features.Text(),
      "scene": tfds.features.Text(),
    }
    if entry:
      features["gain"] = tfds.features.Scalar(dtype=np.float32)
    return tfds.core.DatasetInfo(
      builder=self,
      description=DESCRIPTION + (AS_STORED if entry else RELATIVE),
      features=tfds.features.FeaturesDict(features),
      citation=entry.citation if entry else "",
      license=entry.licence if entry else "",
    )

  def _split_generators(self, dl_manager):
    del dl_manager  # nothing is downloaded
    return {split: self._generate_examples(split) for split in self._splits}

  def _generate_examples(self, split):
    count, records = self._splits[split]
    for key, record in tqdm.tqdm(enumerate(records), total=count, desc=split, unit="record"):
      example = {
        "ldr": np.rint(record["ldr"] * 255.0).astype(np.uint8),
        "name": record["name"],
        "scene": record.get("scene", record["name"]),
      }
      if self._entry:
        example["hdr"] = record["hdr"].astype(np.float32)
        example["gain"] = np.float32(record.get("gain", 1))
      else:
        example["hdr"] = np.minimum(record["hdr"], HALF_MAX).astype(np.float16)
      yield key, example


def write_prepared(splits, out_dir, *, size=None, entry=None):
  """Writes records as a prepared set; a split of the set appears whole or not at all.

  Args:
    splits: {split: (number of records, iterable of dict(ldr, hdr, name; optionally scene, gain))},
      images [H, W, 3] float32, ldr in [0, 1], hdr radiance; without `entry` relative, up to 65504.
    out_dir: folder to write to, made if missing.
    size: side of the images, pixels; None = each its own.
    entry: of `catalogue`; the set is written under its name and with full precision.

  Returns:
    {split: number of records written}.

  Raises:
    UserError: `out_dir` holds this prepared set already, cannot be written, or the disk is full.
  """
  out_dir = pathlib.Path(out_dir)
  if _prepared_folders(out_dir / (entry.builder if entry else NAME)):
    raise UserError(f"{out_dir}: holds a prepared set already; remove it or choose another folder")
  tfds.disable_progress_bar()  # ours counts records against their known number
  try:
    out_dir.mkdir(parents=True, exist_ok=True)
    builder = Pairs(splits=splits, size=size, entry=entry, data_dir=out_dir)
    # TFDS announces a download and makes a folder for it: neither is of use here.
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as unused:
      builder.download_and_prepare(download_dir=unused)
  except (OSError, RuntimeError) as error:
    full = os.strerror(errno.ENOSPC)
    if full in str(error):  # ArrayRecord's C++ gives a RuntimeError
      raise UserError(f"{out_dir}: {full}; free some space or choose another folder") from error
    if isinstance(error, RuntimeError):
      raise
    raise UserError(
      f"{out_dir}: cannot be written ({error.strerror or error}); choose another folder"
    ) from error
  finally:
    tfds.enable_progress_bar()
  return {split: info.num_examples for split, info in builder.info.splits.items()}


class PreparedPairs:
  """One split of a prepared set: random access to records as `pairs.PairFolder` gives them.

  The files are opened on first use and again in every process that this is sent to. `splits` are
  those of the set.

  Args:
    root: the set's folder, or one above it.
    split: of the set; "all" = all of its splits.
    dataset: of several sets at `root` the one: "key" or "key/variant" of the catalogue.

  Raises:
    UserError: `root` holds no such prepared set, or not this split.
  """

  def __init__(self, root, split, *, dataset):
    self._folder = _prepared_folder(pathlib.Path(root), catalogue.find(dataset))
    splits = tfds.builder_from_directory(self._folder).info.splits
    self.splits = tuple(splits)
    if split not in (*splits, "all"):
      raise UserError(f"{self._folder}: has no split {split}; it has {', '.join(splits)}")
    self._split = "+".join(splits) if split == "all" else split
    self._length = splits[self._split].num_examples

  def __getstate__(self):
    return {key: value for key, value in self.__dict__.items() if key != "_records"}

  @functools.cached_property
  def _records(self):
    return tfds.builder_from_directory(self._folder).as_data_source(split=self._split)

  @functools.cached_property
  def _files_state(self):
    files = sorted(path for path in self._folder.iterdir() if path.is_file())
    return layouts.fingerprint(_name(self._folder), self._folder.name, self._split, files=files)

  def fingerprint(self, index) -> str:
    """Changes with any file of the set, and with the record's place; no record is read."""
    return f"{self._files_state} {range(self._length)[index]}"

  def __len__(self):
    return self._length

  def __getitem__(self, index):
    record = self._records[index]
    return {
      "ldr": record["ldr"].astype(np.float32) / np.float32(255.0),
      "hdr": record["hdr"].astype(np.float32),
      "gain": np.float32(record.get("gain", 1.0)),
      "name": record["name"].decode(),
      "scene": record.get("scene", record["name"]).decode(),
    }


def prepared_name(root):
  """Name of the builder that wrote the only prepared set at `root`; "" where there is not one."""
  names = [_name(folder) for folder in _prepared_folders(pathlib.Path(root))]
  return names[0] if len(names) == 1 else ""


def _prepared_folder(root, entry):
  """The set of `entry` at `root`; of a folder without a name ("folder") the only one there."""
  found = _prepared_folders(root)
  chosen = [folder for folder in found if _name(folder) == entry.builder]
  names = ", ".join(map(_name, found))
  if not found:
    raise UserError(f"{root}: holds no prepared set; give a folder that --mode=prepare wrote")
  if entry.title and not chosen:
    raise UserError(f"{root}: holds no prepared {entry.builder} but {names}; change data.dataset")
  if not entry.title and len(found) == 1:
    return found[0]
  if len(chosen) != 1:
    raise UserError(f"{root}: holds {len(found)} prepared sets ({names}); give the folder of one")
  return chosen[0]


def _name(folder):
  return folder.resolve().parent.name


def _prepared_folders(root):
  """Folders of finished sets at or below `root`; TFDS names the others `*.incomplete.*`."""
  return sorted(
    path.parent for path in root.glob("**/features.json") if "incomplete" not in path.parent.name
  )
