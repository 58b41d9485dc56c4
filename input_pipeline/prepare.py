"""From a source to a prepared set: the work of `--mode=prepare`."""

from input_pipeline import datasets, pipeline


def prepare(config, out_dir, *, views=16, size=None, splits=("train", "validation")):
  """Writes fixed views of the source of `config.data` as ArrayRecord.

  Train on them with `--config.data.source=prepared --config.data.root=OUT_DIR`.

  Args:
    config: as in `configs/default.py`; its source, camera and crop are used.
    out_dir: folder to write to, made if missing.
    views: views (of pairs: crops) of each scene.
    size: side in pixels; None takes `data.crop`. Larger than that, training crops at random.
    splits: those to write.

  Returns:
    {split: number of records written}.

  Raises:
    UserError: as `pipeline.make_source` and `datasets.write_prepared`.
  """
  size = config.data.crop if size is None else size

  def records(source, example):
    for index in range(len(source)):
      yield from pipeline.fixed_views(source, example, index, range(views), size=size)

  parts = {}
  for split in splits:
    source, example = pipeline.make_source(config, split)
    parts[split] = (views * len(source), records(source, example))
  return datasets.write_prepared(parts, out_dir, size=size)
