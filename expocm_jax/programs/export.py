"""Turns a checkpoint into a weights file for inference: `--mode=export`."""

import os
import pathlib

import jax

from expocm_jax.checkpoints import runs, weights
from expocm_jax.errors import UserError
from expocm_jax.training import metric_writer


def main(*, workdir: str | os.PathLike, output: str | os.PathLike) -> pathlib.Path:
  """Writes the averaged parameters (`ema_params`) of a checkpoint with its config to `output`.

  The file tells the last validation of the run, and no path of the machine that trained.

  Args:
    workdir: a run's folder, of which the newest checkpoint is taken, or a single checkpoint's.
    output: a file ending in .safetensors.

  Raises:
    UserError: there is no usable checkpoint, or the file cannot be written or read back.
  """
  workdir, output = pathlib.Path(workdir), pathlib.Path(output)
  if output.suffix != weights.SUFFIX:
    raise UserError(f"{output}: weights files end in {weights.SUFFIX}; change the output's name")
  if not workdir.is_dir():
    raise UserError(f"{workdir}: no such run or checkpoint folder; check the path")
  config, params = runs.load_for_inference(workdir)
  config = config.copy_and_resolve_references()
  config.data.root = ""
  config.train.init_from = pathlib.Path(config.train.init_from).name
  rows = [
    row
    for row in metric_writer.read_rows(workdir)
    if any(name.startswith("validation/") for name in row)
  ]
  weights.save_weights(output, params, config, info=rows[-1] if rows else {})
  _, loaded, _ = weights.load_weights(output)  # proves that the file can be used
  count = sum(leaf.size for leaf in jax.tree.leaves(loaded))
  print(
    f"{output}: {count:,} parameters, {output.stat().st_size / 1e6:.1f} MB, from {workdir.name}"
  )
  return output
