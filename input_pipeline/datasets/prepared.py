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
from input_pipeline.datasets import catalogue
from input_pipeline.datasets.hdr_folder import HALF_MAX, fingerprint

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
    self.name = _builder_name(entry)
    super().__init__(data_dir=data_dir, file_format="array_record")

  def _info(self):
    # `features.Image` would import TensorFlow.
    tensor, entry = tfds.features.Tensor, self._entry
    shape = (self._size, self._size, 3)
    features = {
      "ldr": tensor(shape=shape, dtype=np.uint8, encoding="zlib"),
      "hdr": tensor(shape=shape, dtype=np.float32 if entry else np.float16, encoding="zlib"),
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
      name = record["name"]
      example = {
        "ldr": np.rint(record["ldr"] * 255.0).astype(np.uint8),
        "hdr": record["hdr"] if self._entry else np.minimum(record["hdr"], HALF_MAX),
        "name": name,
        "scene": record.get("scene", name),
      }
      example["hdr"] = example["hdr"].astype(np.float32 if self._entry else np.float16)
      yield key, example | ({"gain": np.float32(record.get("gain", 1))} if self._entry else {})


def _builder_name(entry):
  return entry.builder if entry else NAME


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
  if _prepared_folders(out_dir / _builder_name(entry)):
    raise UserError(f"{out_dir}: holds a prepared set already; remove it or choose another folder")
  tfds.disable_progress_bar()  # ours counts records against their known number
  try:
    out_dir.mkdir(parents=True, exist_ok=True)
    builder = Pairs(splits=splits, size=size, entry=entry, data_dir=out_dir)
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
  """One split of a prepared set: random access to records as `pairs.PairFolder` gives them.

  The files are opened on first use and again in every process that this is sent to. `splits` are
  those of the set.
  """

  def __init__(self, folder, split, length, splits):
    self._folder, self._split, self._length = folder, split, length
    self.splits = splits
    self._records = None
    self._state = ""  # of the files; of one run

  def __getstate__(self):
    return dict(self.__dict__, _records=None)

  @functools.cached_property
  def names(self) -> tuple[str, ...]:
    """Of the records, in their order; the first call goes through the whole file."""
    builder = tfds.builder_from_directory(self._folder)
    skipped = {key: tfds.decode.SkipDecoding() for key in ("ldr", "hdr")}
    source = builder.as_data_source(split=self._split, decoders=skipped)
    return tuple(record["name"].decode() for record in source)

  def fingerprint(self, index) -> str:
    """Changes with any file of the set, and with the record's place; nothing is read."""
    if not self._state:
      files = sorted(path for path in self._folder.iterdir() if path.is_file())
      self._state = fingerprint(_name(self._folder), self._folder.name, self._split, *files)
    return f"{self._state} {range(self._length)[index]}"

  def __len__(self):
    return self._length

  def __getitem__(self, index):
    record = self.read(index)
    gain = record.pop("gain")
    return record | {"hdr": record["hdr"] * gain}

  def read(self, index):
    """As `self[index]`, with `hdr` as stored and the `gain` that makes it relative radiance."""
    if self._records is None:
      builder = tfds.builder_from_directory(self._folder)
      self._records = builder.as_data_source(split=self._split)
    record = self._records[index]
    return {
      "ldr": record["ldr"].astype(np.float32) / np.float32(255.0),
      "hdr": record["hdr"].astype(np.float32),
      "gain": np.float32(record.get("gain", 1.0)),
      "name": record["name"].decode(),
      "scene": record.get("scene", record["name"]).decode(),
    }


def open_prepared(root, split, *, dataset="folder"):
  """The records of one split ("all": of every one) of the prepared set at `root`.

  Where `root` holds several sets, `dataset` ("key" or "key/variant" of the catalogue) chooses.

  Raises:
    UserError: `root` holds no such prepared set, or not this split.
  """
  folder = _prepared_folder(pathlib.Path(root), catalogue.find(dataset))
  splits = tfds.builder_from_directory(folder).info.splits
  wanted = "+".join(splits) if split == "all" else split
  if wanted not in splits and split != "all":
    raise UserError(f"{folder}: has no split {split}; it has {', '.join(splits)}")
  return PreparedPairs(folder, wanted, splits[wanted].num_examples, tuple(splits))


def prepared_name(root):
  """Name of the builder that wrote the only prepared set at `root`; "" where there is not one."""
  names = [_name(folder) for folder in _prepared_folders(pathlib.Path(root))]
  return names[0] if len(names) == 1 else ""


def _prepared_folder(root, entry):
  found = _prepared_folders(root)
  chosen = [folder for folder in found if _name(folder) == entry.builder]
  if entry.title and not chosen and found:
    names = ", ".join(map(_name, found))
    raise UserError(f"{root}: holds no prepared {entry.builder} but {names}; change data.dataset")
  if entry.title or len(found) > 1:
    found = chosen or found
  if len(found) > 1:
    names = ", ".join(map(_name, found))
    raise UserError(f"{root}: holds {len(found)} prepared sets ({names}); give the folder of one")
  if not found:
    raise UserError(f"{root}: holds no prepared set; give a folder that --mode=prepare wrote")
  return found[0]


def _name(folder):
  return folder.resolve().parent.name


def _prepared_folders(root):
  """Folders of finished sets at or below `root`; TFDS names the others `*.incomplete.*`."""
  return sorted(
    path.parent for path in root.glob("**/features.json") if "incomplete" not in path.parent.name
  )
