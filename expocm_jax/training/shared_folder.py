"""Whether all processes of a run see one and the same folder."""

import pathlib

import jax
import numpy as np
from jax.experimental import multihost_utils

from expocm_jax.errors import UserError


def check_workdir(workdir: str) -> None:
  """Raises UserError, in every process, for a place that a run cannot write to together.

  Each process writes its part of a checkpoint and waits for the others' parts to appear beside it:
  with a folder of its own it would wait for ever. Every process calls this with the same argument.
  """
  if "://" in workdir:
    raise UserError(f"--workdir={workdir}: an address, not a folder; mount the bucket and give the "
                    "folder")  # fmt: skip
  if jax.process_count() == 1:
    return
  folder = pathlib.Path(workdir).absolute()
  draw = np.random.default_rng().integers(2**31, dtype=np.int32)
  sign = folder / f".seen_{int(multihost_utils.broadcast_one_to_all(draw))}"
  first, problem = jax.process_index() == 0, ""
  if first:
    try:
      folder.mkdir(parents=True, exist_ok=True)
      sign.touch()
    except OSError as error:
      problem = f" ({error.strerror})"
  multihost_utils.sync_global_devices("the sign is written")
  seen = multihost_utils.process_allgather(np.array(sign.exists()))
  if first:
    sign.unlink(missing_ok=True)
  if not seen.all():
    raise UserError(
      f"--workdir={workdir}: not seen by process {', '.join(map(str, np.flatnonzero(~seen)))} of "
      f"{seen.size}{problem}; give a folder that all machines share and may write to"
    )
