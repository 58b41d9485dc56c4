"""Trained parameters from wherever they lie: shipped, a weights file, a run, a checkpoint."""

import os
import pathlib
from typing import Any

from ml_collections import ConfigDict

from expocm_jax.checkpoints import weights
from expocm_jax.errors import UserError

FOLDER = pathlib.Path(__file__).with_name("shipped")
RESPONSE = "response"  # the shipped estimator of responses, no network of this program's


def load(name_or_path: str | os.PathLike) -> tuple[ConfigDict, Any]:
  """The configuration and the averaged parameters (`ema_params`) as numpy arrays.

  Args:
    name_or_path: a shipped name, a .safetensors file, a run's folder or one checkpoint's.

  Raises:
    UserError: there is nothing of that name, or it cannot be used.
  """
  found = find_weights(name_or_path)
  if found.is_dir():
    from expocm_jax.checkpoints import runs  # weight files alone need no Orbax, slow to import

    return runs.load_for_inference(found)
  config, params, _ = weights.load_weights(found)
  return config, params


def find_weights(name_or_path: str | os.PathLike) -> pathlib.Path:
  """The path of a weights file or checkpoint folder, or of the shipped set of that name.

  A path that exists comes first. Raises UserError when nothing fits, naming what is shipped.
  """
  path = pathlib.Path(name_or_path).expanduser()
  shipped = FOLDER / f"{name_or_path}{weights.SUFFIX}"
  if path.exists():
    return path
  names = sorted({file.stem for file in FOLDER.glob(f"*{weights.SUFFIX}")} - {RESPONSE})
  if str(name_or_path) in names:
    return shipped
  raise UserError(
    f"{name_or_path}: no such weights file, run folder or shipped set; "
    f"give a path, or one of the shipped names ({', '.join(names) or 'none'})"
  )
