"""Trained parameters from wherever they lie: shipped, a weights file, a run, a checkpoint."""

import os
from typing import Any

from ml_collections import ConfigDict

from expocm_jax.checkpoints import weights


def load(name_or_path: str | os.PathLike) -> tuple[ConfigDict, Any]:
  """The configuration and the averaged parameters (`ema_params`) as numpy arrays.

  Args:
    name_or_path: a shipped name, a .safetensors file, a run's folder or one checkpoint's.

  Raises:
    UserError: there is nothing of that name, or it cannot be used.
  """
  found = weights.find_weights(name_or_path)
  if found.is_dir():
    from expocm_jax.checkpoints import runs  # weight files alone need no Orbax, slow to import

    return runs.load_for_inference(found)
  config, params, _ = weights.load_weights(found)
  return config, params
