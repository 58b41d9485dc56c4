"""Turns a checkpoint into a weights file for inference: `--mode=export`."""

import os
import pathlib
from typing import Any

import jax

from expocm_jax.checkpoints import runs, weights
from expocm_jax.errors import UserError
from expocm_jax.training import metric_writer


def main(
  *, checkpoint: str | os.PathLike, output: str | os.PathLike, info: dict[str, Any] | None = None
) -> pathlib.Path:
  """Writes the averaged parameters (`ema_params`) of a checkpoint with its config to `output`.

  Args:
    checkpoint: a run's folder, of which the newest is taken, or a single checkpoint's.
    output: a file ending in .safetensors.
    info: what the file shall tell of its training; by default the last validation of the run.

  Raises:
    UserError: there is no usable checkpoint, or the file cannot be written or read back.
  """
  checkpoint, output = pathlib.Path(checkpoint), pathlib.Path(output)
  if output.suffix != weights.SUFFIX:
    raise UserError(f"{output}: weights files end in {weights.SUFFIX}; change the output's name")
  if not checkpoint.is_dir():
    raise UserError(f"{checkpoint}: no such run or checkpoint folder; check the path")
  config, params = runs.load_for_inference(checkpoint)
  config = config.copy_and_resolve_references()
  # Paths of the machine that trained are nobody else's; older runs do not have the second.
  config.data.root = ""
  if "init_from" in config.train:
    config.train.init_from = pathlib.Path(config.train.init_from).name
  if info is None:
    info = _last_validation(checkpoint)
  weights.save_weights(output, params, config, info=info)
  _, loaded, _ = weights.load_weights(output)  # proves that the file can be used
  count = sum(leaf.size for leaf in jax.tree.leaves(loaded))
  print(
    f"{output}: {count:,} parameters, {output.stat().st_size / 1e6:.1f} MB, from {checkpoint.name}"
  )
  return output


def _last_validation(run: pathlib.Path) -> dict[str, float]:
  """The last row of a run's metrics that holds a validation; empty for a single checkpoint."""
  rows = [
    row
    for row in metric_writer.read_rows(run)
    if any(name.startswith("validation/") for name in row)
  ]
  return rows[-1] if rows else {}
