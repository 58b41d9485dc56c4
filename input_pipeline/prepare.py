"""From a source to a prepared set: the work of `--mode=prepare`."""

import math

from input_pipeline import batches
from input_pipeline.datasets import catalogue, prepared
from input_pipeline.source import available_splits, make_source


def prepare(config, out_dir, *, views, size=None, splits=None):
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
    splits: those to write; None = those of `source.available_splits`.

  Returns:
    {split: number of records written}.

  Raises:
    UserError: as `source.make_source` and `prepared.write_prepared`.
  """
  entry = None
  if size is None and config.data.source == "pairs":
    entry = catalogue.find(config.data.dataset)
  elif size is None:
    size = config.data.crop
  parts = {}
  for split in splits or available_splits(config):
    source, example = make_source(config, split, headroom=math.inf)
    if entry and entry.key != "hdr_synth":
      parts[split] = len(source), map(source.__getitem__, range(len(source)))
    else:
      parts[split] = views * len(source), _views(source, example, views, size)
  return prepared.write_prepared(parts, out_dir, size=size, entry=entry)


def _views(source, example, views, size):
  for index in range(len(source)):
    yield from batches.fixed_views(source, example, index, range(views), size=size)
