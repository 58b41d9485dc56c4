"""SIGTERM and Ctrl-C as a request to stop at the end of a step."""

import os
import signal

import jax
from jax.experimental import multihost_utils


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
