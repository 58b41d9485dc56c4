"""From `config.data` to a source of records, the function that makes examples, and their names."""

import functools
import pathlib

from expocm_jax.errors import UserError
from input_pipeline.camera import photograph, response
from input_pipeline.datasets import catalogue, hdr_folder, hdr_synth, layouts, pairs, procedural

PROCEDURAL_SCENES = {"train": 256, "validation": 64, "test": 64}
MADE_FROM_HDR = ("hdr_folder", "procedural")  # whose photos the camera model makes
PAIRED = ("pairs", "prepared")  # whose photos are on disk
SOURCES = (*MADE_FROM_HDR, *PAIRED)


def make_source(config, split, *, headroom=None):
  """Random access to the records of `split`, and the function that makes an example of one.

  Args:
    config: as in `configs/default.py`.
    split: "train", "validation", "test", or "all" where the source is a folder.
    headroom: largest relative radiance of the examples; None = `config.domain.headroom`, as for
      training; `math.inf` leaves the ground truth as it is, as for evaluation. The photos are the
      same for all.

  Returns:
    (source, example). `source[i]` of `len(source)` is a record, a dict with a `name`, and
    `source.fingerprint(i)` changes with its files; where photos are made, `source.read(i)` is the
    image as stored. `example(record, rng, size=...)` is dict(ldr [size, size, 3] in [0, 1],
    hdr [size, size, 3] in [0, headroom]), float32.

  Raises:
    UserError: unknown split, `data.source` or `data.dataset`, a range of `config.camera` that
      makes no sense, or what the source finds wrong with `data.root`.
  """
  if split not in (*catalogue.SPLITS, "all"):
    raise UserError(f"unknown split {split!r}; use train, validation, test or all")
  data, kind = config.data, _kind(config.data)
  options = {
    "camera": photograph.Camera(**config.camera),
    "headroom": config.domain.headroom if headroom is None else headroom,
  }
  if kind == "procedural" and data.root:
    raise UserError(
      f"config.data.root={data.root}: given, but data.source=procedural makes its own scenes; add "
      "--config.data.source=hdr_folder (or pairs), or leave the folder out"
    )
  if kind != "procedural" and not data.root:
    raise UserError(
      f"config.data.root: empty, but data.source={data.source} reads a folder; "
      "give it with --config.data.root=FOLDER"
    )
  source = _open(data, kind, split)
  if kind in PAIRED:
    return source, functools.partial(pairs.crop_and_flip, headroom=options["headroom"])
  if kind == "hdr_synth":
    curves = response.read_dorf(data.response_curves) if data.response_curves else ()
    return source, functools.partial(hdr_synth.take_photo, curves=curves, **options)
  return source, functools.partial(_photograph, crop=data.crop, **options)


def _kind(data):
  """`data.source`; "hdr_synth" for the one set of pairs whose photos are made on the fly."""
  if data.source not in SOURCES:
    raise UserError(
      f"config.data.source={data.source}: unknown; choose one of {', '.join(SOURCES)}"
    )
  entry = catalogue.find(data.dataset)
  if entry.title and data.source not in PAIRED:
    raise UserError(
      f"config.data.dataset={data.dataset}: of data.source=pairs, not {data.source}; "
      "add --config.data.source=pairs"
    )
  return "hdr_synth" if data.source == "pairs" and entry.key == "hdr_synth" else data.source


def _open(data, kind, split):
  folder = {"split": split, "validation_share": data.validation_share}
  if kind == "hdr_folder":
    return hdr_folder.HdrFolder(
      data.root, projection=data.projection, cache_gib=data.cache_gib, **folder
    )
  if kind == "hdr_synth":
    return hdr_synth.open_images(data.root, cache_gib=data.cache_gib, **folder)
  if kind == "pairs":
    return pairs.PairFolder(data.root, dataset=data.dataset, **folder)
  if kind == "prepared":
    from input_pipeline.datasets.prepared import PreparedPairs  # TFDS takes a second to import

    return PreparedPairs(data.root, split, dataset=data.dataset)
  return procedural.ProceduralScenes(PROCEDURAL_SCENES[split], seed=catalogue.SPLITS.index(split))


def _photograph(scene, rng, *, size, crop, **options):
  return photograph.photograph(scene, rng, size=crop if size is None else size, **options)


def view_size(config, size):
  """Side of the views in pixels where `size` is asked for; None = whole images."""
  return config.data.crop if size is None and config.data.source in MADE_FROM_HDR else size


def distinct_views(config, views, *, size):
  """How many of `views` differ: of a pair there is one whole image."""
  return 1 if size is None and _kind(config.data) in PAIRED else views


def available_splits(config):
  """Of train, validation and test, those that `config.data` has, no record in two of them.

  Of sources whose photos the camera model makes only the first two: their test views are drawn
  when they are evaluated.

  Raises:
    UserError: as `make_source`.
  """
  data = config.data
  if data.source == "pairs":
    return layouts.available_splits(data.root, catalogue.find(data.dataset))
  return make_source(config, "all")[0].splits if data.source == "prepared" else catalogue.TRAINING


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
  title = _title(config.data) if size is None else ""
  return title if title not in ("", catalogue.DATASETS["hdr_synth"].title) else None


def _title(data):
  """The catalogue's, "" where it has none for this data."""
  title = catalogue.find(data.dataset).full_title
  if _kind(data) != "prepared" or title:
    return title
  from input_pipeline.datasets.prepared import prepared_name

  return catalogue.title_of_builder(prepared_name(data.root))
