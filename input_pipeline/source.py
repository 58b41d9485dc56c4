"""From `config.data` to a source of records, and what it is called."""

import functools
import pathlib

from expocm_jax.errors import UserError
from input_pipeline import crops
from input_pipeline.camera import photograph as camera
from input_pipeline.datasets import catalogue, hdr_folder, hdr_synth, pairs, procedural

PROCEDURAL_SCENES = {"train": 256, "validation": 64, "test": 64}
MADE_FROM_HDR = ("hdr_folder", "procedural")  # sources whose photos a camera model makes


def make_source(config, split, *, headroom=None):
  """Random access to the records of `split`, and the function that makes an example of one.

  Args:
    config: as in `configs/default.py`.
    split: "train", "validation", "test", or "all" where the source is a folder.
    headroom: largest relative radiance of the examples; None = `config.domain.headroom`, as for
      training; `math.inf` leaves the ground truth as it is, as for evaluation. The photos are the
      same for all.

  Returns:
    (source, example): `source[i]` is a record; `example(record, rng, size=...)` is
    dict(ldr [size, size, 3] in [0, 1], hdr [size, size, 3] in [0, headroom]), float32.

  Raises:
    UserError: unknown `data.source` or `data.dataset`, or what the source finds wrong with
      `data.root`.
  """
  data = config.data
  headroom = config.domain.headroom if headroom is None else headroom
  options = camera.Camera(**config.camera, headroom=headroom)
  photograph = functools.partial(_photograph, crop=data.crop, options=options)
  crop = functools.partial(crops.crop_and_flip, headroom=headroom)
  makers = {
    "hdr_folder": (_hdr_folder, photograph),
    "procedural": (_procedural, photograph),
    "pairs": (_pair_folder, crop),
    "prepared": (_prepared, crop),
  }
  if data.source not in makers:
    raise UserError(f"config.data.source={data.source}: unknown; choose one of {', '.join(makers)}")
  maker, example = makers[data.source]
  entry = _dataset(data)
  if data.source == "procedural" and data.root:
    raise UserError(
      f"config.data.root={data.root}: given, but data.source=procedural makes its own scenes; add "
      "--config.data.source=hdr_folder (or pairs), or leave the folder out"
    )
  if data.source != "procedural" and not data.root:
    raise UserError(
      f"config.data.root: empty, but data.source={data.source} reads a folder; "
      "give it with --config.data.root=FOLDER"
    )
  if is_synth(data):
    pairs.check_split(entry, split, data.root)
    return _hdr_images(data, split), hdr_synth.make_example(data, options)
  return maker(data, split), example


def is_synth(data):
  """Whether the LDR images are made by HDR-SYNTH's pair maker."""
  return data.source == "pairs" and catalogue.find(data.dataset).key == "hdr_synth"


def whole_images(data):
  """Whether records are pairs of images, of which all views without a size are the same."""
  return data.source not in MADE_FROM_HDR and not is_synth(data)


def view_size(config, size):
  """Side of the views in pixels where `size` is asked for; None = whole images."""
  return config.data.crop if size is None and config.data.source in MADE_FROM_HDR else size


def available_splits(config):
  """Of train, validation and test, those that `config.data` has, no record in two of them.

  Of sources whose photos a camera model makes only the first two: their test views are drawn when
  they are evaluated.

  Raises:
    UserError: as `make_source`.
  """
  data = config.data
  if is_synth(data):
    return make_source(config, "all")[0].splits
  if data.source == "pairs":
    return pairs.available_splits(data.root, layout=data.layout, dataset=data.dataset)
  if data.source == "prepared":
    return make_source(config, "all")[0].splits
  return ("train", "validation")


def dataset_name(config):
  """How reports call the data: "HDR-REAL", "SI-HDR clip_95", the folder's name, ..."""
  data = config.data
  if data.source == "procedural":
    return "procedural scenes"
  return _title(data) or pathlib.Path(data.root).resolve().name


def published_set(config, *, size):
  """Title of the published set that is evaluated as others do: on its whole images.

  Args:
    config: as in `configs/default.py`; pairs of a named dataset, or such a set prepared.
    size: side of the views, pixels; None = whole images.

  Returns:
    "HDR-REAL", "HDR-EYE", "AIM 2025", ...; None for crops, HDR images, folders without a name,
    and HDR-SYNTH, whose photos are made here.
  """
  data = config.data
  if size is not None or data.source not in ("pairs", "prepared"):
    return None
  title = _title(data)
  return title if title and title != catalogue.DATASETS["hdr_synth"].title else None


def _title(data):
  """The catalogue's, "" where it has none for this data."""
  entry = _dataset(data)
  if data.source != "prepared" or entry.title:
    return catalogue.title(entry)
  from input_pipeline.datasets import prepared  # pylint: disable=g-import-not-at-top

  return catalogue.title_of_builder(prepared.prepared_name(data.root))


def _dataset(data):
  """The catalogue's entry; only pairs and prepared sets of them have one by name."""
  entry = catalogue.find(data.dataset)
  if entry.title and data.source not in ("pairs", "prepared"):
    raise UserError(
      f"config.data.dataset={data.dataset}: of data.source=pairs, not {data.source}; "
      "add --config.data.source=pairs"
    )
  return entry


def _photograph(scene, rng, *, size, options, crop):
  return camera.photograph(scene, rng, size=crop if size is None else size, camera=options)


def _hdr_folder(data, split):
  return hdr_folder.HdrFolder(
    data.root,
    split=split,
    projection=data.projection,
    validation_share=data.validation_share,
    cache_gib=data.cache_gib,
  )


def _hdr_images(data, split):
  return hdr_synth.HdrImages(
    data.root, split=split, validation_share=data.validation_share, cache_gib=data.cache_gib
  )


def _procedural(data, split):
  return procedural.ProceduralScenes(PROCEDURAL_SCENES[split], seed=catalogue.SPLITS.index(split))


def _pair_folder(data, split):
  return pairs.PairFolder(
    data.root,
    layout=data.layout,
    dataset=data.dataset,
    split=split,
    validation_share=data.validation_share,
  )


def _prepared(data, split):
  # Imported here: TFDS takes a second, and no other source needs it.
  from input_pipeline.datasets import prepared  # pylint: disable=g-import-not-at-top

  return prepared.open_prepared(data.root, split, dataset=data.dataset)
