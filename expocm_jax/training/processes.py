"""Devices and processes of a run: the mesh, a folder that all share, stopping together."""

import os
import pathlib
import signal

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from expocm_jax.errors import UserError


def make_mesh(devices: list | None = None) -> Mesh:
  """A mesh with the one axis "data" over `devices`, by default all devices of all processes."""
  devices = jax.devices() if devices is None else devices
  return Mesh(np.asarray(devices), ("data",), axis_types=(AxisType.Auto,))


def replicated(mesh: Mesh) -> NamedSharding:
  """Every device holds the whole array: parameters and all other state."""
  return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh) -> NamedSharding:
  """The first axis is split over the devices."""
  return NamedSharding(mesh, PartitionSpec("data"))


def global_batch(batch: dict[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
  """Global arrays from this process's share of the batch, [local batch, ...] each."""
  sharding = batch_sharding(mesh)
  return {
    name: jax.make_array_from_process_local_data(sharding, value) for name, value in batch.items()
  }


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


class StopSignals:
  """Notes SIGTERM and SIGINT while open; the second one acts as usual.

  Several processes must stop at the same step: there the JAX runtime's own notice of SIGTERM
  decides, and Ctrl-C acts as usual.

  Attributes:
    received: number of the signal; 0 while none came.
  """

  def __init__(self):
    self.received = 0
    self._before = {}
    self._alone = jax.process_count() == 1

  def __enter__(self) -> "StopSignals":
    for number in (signal.SIGTERM, signal.SIGINT) if self._alone else ():
      self._before[number] = signal.signal(number, self._note)
    return self

  def __exit__(self, *exception) -> None:
    while self._before:
      signal.signal(*self._before.popitem())

  def _note(self, number: int, frame) -> None:
    self.received = number
    self.__exit__()
    os.write(2, b"\nstopping: finishes this step and saves; a second signal ends it at once\n")

  def stop_at(self, step: int) -> bool:
    """Whether the run is to end now; every process asks at every step."""
    if not self._alone and multihost_utils.reached_preemption_sync_point(step):
      self.received = signal.SIGTERM
    return bool(self.received)
