"""The mesh, a folder for all, and signals; `test_step` has two real processes."""

import os
import signal

import jax
import numpy as np
import pytest

from expocm_jax.errors import UserError
from expocm_jax.training import processes


def test_a_batch_is_split_over_the_devices_and_parameters_are_not():
  mesh = processes.make_mesh(jax.devices()[:4])
  batch = {"ldr": np.arange(24, dtype=np.float32).reshape(8, 3)}
  split = processes.global_batch(batch, mesh)["ldr"]
  np.testing.assert_array_equal(split, batch["ldr"])
  assert {shard.data.shape for shard in split.addressable_shards} == {(2, 3)}
  everywhere = jax.device_put(batch["ldr"], processes.replicated(mesh))
  assert {shard.data.shape for shard in everywhere.addressable_shards} == {(8, 3)}


def test_a_bucket_is_no_folder():
  with pytest.raises(UserError, match="gs://bucket/run: an address, not a folder"):
    processes.check_workdir("gs://bucket/run")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_for_a_stop_and_the_second_acts_as_usual(number, capfd):
  before = signal.getsignal(number)
  with processes.StopSignals() as signals:
    assert not signals.stop_at(3)
    os.kill(os.getpid(), number)
    assert signals.stop_at(4) and signals.received == number
    assert signal.getsignal(number) == before
  assert "finishes this step and saves" in capfd.readouterr().err


def test_outside_it_signals_are_as_before():
  before = signal.getsignal(signal.SIGTERM)
  with processes.StopSignals():
    assert signal.getsignal(signal.SIGTERM) != before
  assert signal.getsignal(signal.SIGTERM) == before
