"""From a source to a prepared set: the work of `--mode=prepare`."""

import math

from input_pipeline import batches
from input_pipeline import source as origin
from input_pipeline.datasets import catalogue, prepared


def prepare(config, out_dir, *, views=16, size=None, splits=None):
  """Writes the source of `config.data` as ArrayRecord.

  Pairs (`data.source=pairs`) are written as whole images under the name of their dataset unless
  `size` is given; all else as fixed views of one size. Train on them with
  `--config.data.source=prepared --config.data.root=OUT_DIR`.

  Args:
    config: as in `configs/default.py`; its source, camera and crop are used.
    out_dir: folder to write to, made if missing.
    views: views of each scene (of pairs: crops, of which a whole image is the only one; of
      HDR-SYNTH: photos).
    size: side in pixels; None takes whole images of pairs, and `data.crop` of other sources.
      Larger than `data.crop`, training crops at random.
    splits: those to write; None = those of `origin.available_splits`.

  Returns:
    {split: number of records written}.

  Raises:
    UserError: as `pipeline.make_source` and `datasets.write_prepared`.
  """
  splits = splits or origin.available_splits(config)
  if config.data.source == "pairs" and size is None:
    return _prepare_whole(config, out_dir, views, splits)
  size = config.data.crop if size is None else size
  parts = {}
  for split in splits:
    source, example = batches.make_source(config, split, headroom=math.inf)
    parts[split] = (views * len(source), _views(source, example, views, size))
  return prepared.write_prepared(parts, out_dir, size=size)


def _prepare_whole(config, out_dir, views, splits):
  """A dataset's builder: whole images, radiance unlimited."""
  views = batches.distinct_views(config, views, size=None)
  parts = {}
  for split in splits:
    source, example = batches.make_source(config, split, headroom=math.inf)
    made = origin.is_synth(config.data)
    records = _views(source, example, views, None) if made else map(source.read, range(len(source)))
    parts[split] = (views * len(source), records)
  return prepared.write_prepared(parts, out_dir, entry=catalogue.find(config.data.dataset))


def _views(source, example, views, size):
  for index in range(len(source)):
    yield from batches.fixed_views(source, example, index, range(views), size=size)
