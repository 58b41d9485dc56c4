"""The train step on one, eight and two-times-one devices, and what it does to the losses."""

import os
import pathlib
import pickle
import socket
import subprocess
import sys

import chex
import jax
import numpy as np
import pytest

from expocm_jax.errors import UserError
from expocm_jax.method.expocm import Method
from expocm_jax.training import step as train_step
from expocm_jax.training.processes import global_batch, make_mesh
from expocm_jax.training.state import create_state
from tests.support import small_run

ROOT = pathlib.Path(__file__).resolve().parents[2]
RATE = 3e-3
FAST_LEARNING = {
  "optim.peak_lr": RATE, "optim.phase2_lr": RATE, "optim.warmup_steps": 0,
  "train.phase1_steps": 100,
}  # fmt: skip
TWO_PROCESSES = """
import pickle, sys
import jax
index, port, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
jax.config.update("jax_num_cpu_devices", 1)
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(f"localhost:{port}", 2, index)
from tests.support import small_run
from tests.training import test_step
from expocm_jax.errors import UserError
from expocm_jax.training.processes import check_workdir
assert jax.process_count() == 2 and len(jax.devices()) == 2
local = {name: value[4 * index:][:4] for name, value in small_run.batch().items()}
states, losses = test_step.run(test_step.changed(), jax.devices(), batch=local)
check_workdir(out + ".shared")
try:
  check_workdir(f"{out}.{index}")
except UserError as error:
  assert "not seen by process 1 of 2" in str(error)
else:
  raise AssertionError("private folders pass")
if index == 0:
  pickle.dump((states, losses), open(out, "wb"))
"""


def run(config, devices, *, phase=1, steps=3, batch=None):
  """Trains on a fixed batch: states after 0, 3 and all steps as numpy, losses of each step."""
  mesh, method = make_mesh(devices), Method.from_config(config)
  state = create_state(config, method, mesh)
  step = train_step.make_train_step(config, method, mesh, phase=phase)
  batch = global_batch(small_run.batch() if batch is None else batch, mesh)
  states, losses = {0: jax.tree.map(np.asarray, state)}, []
  for done in range(1, steps + 1):
    state, metrics = step(state, batch)
    losses.append(float(metrics["loss"]))
    if done in (3, steps):
      states[done] = jax.tree.map(np.asarray, state)
  return states, losses


def changed(**fields):
  config = small_run.config()
  config.update_from_flattened_dict(FAST_LEARNING | fields)
  return config


@pytest.fixture(scope="module")
def on_one_device(quick_compiles):
  """States and losses of 40 steps, and how often the loss was traced."""
  make_loss, traces = train_step.make_loss, []

  def counted(*args, **options):
    loss = make_loss(*args, **options)
    return lambda *arrays: traces.append(1) or loss(*arrays)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(train_step, "make_loss", counted)
    return *run(changed(), jax.devices()[:1], steps=40), len(traces)


def assert_same(result, reference):
  """Equal to float32 rounding, which Adam's first steps turn into some 1e-3 of the rate.

  Where a gradient is near zero it is more: at one element in a thousand, and there at most 3e-3.
  """
  state, losses = result[0][3], result[1]
  wanted, wanted_losses = reference[0][3], reference[1][:3]
  np.testing.assert_allclose(losses, wanted_losses, rtol=1e-5)
  for name in ("params", "target_params", "ema_params"):
    got, expected = getattr(state, name), getattr(wanted, name)
    chex.assert_trees_all_close(got, expected, atol=3 * 3e-3 * RATE)
    pairs = zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True)
    apart = np.concatenate([np.ravel(np.abs(a - b)) for a, b in pairs])
    assert np.quantile(apart, 0.999) <= 3 * 1e-3 * RATE


def test_eight_devices_give_what_one_gives(on_one_device):
  assert_same(run(changed(), jax.devices()), on_one_device)


def test_accumulation_gives_what_the_whole_batch_gives(on_one_device):
  result = run(changed(**{"optim.accumulate": 2}), jax.devices()[:2])
  assert_same(result, on_one_device)


def test_two_processes_give_what_one_gives(on_one_device, tmp_path):
  with socket.socket() as free:
    free.bind(("localhost", 0))
    port = free.getsockname()[1]
  path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
  env = dict(os.environ, PYTHONPATH=path, JAX_PLATFORMS="cpu")
  started = [
    subprocess.Popen(
      [sys.executable, "-c", TWO_PROCESSES, str(i), str(port), str(tmp_path / "out")], env=env,
      stderr=subprocess.PIPE, text=True,
    ) for i in range(2)
  ]  # fmt: skip
  errors = [process.communicate(timeout=300)[1] for process in started]
  assert [process.returncode for process in started] == [0, 0], errors
  with open(tmp_path / "out", "rb") as file:
    assert_same(pickle.load(file), on_one_device)
  assert not any((tmp_path / "out.shared").iterdir())


def test_one_trace_a_run_and_the_loss_falls_on_a_fixed_batch(on_one_device):
  states, losses, traces = on_one_device
  assert traces == 1
  assert np.mean(losses[-10:]) < 0.93 * np.mean(losses[:10])
  # The average for evaluation and the target follow the weights, and neither has arrived.
  step = _distance(states[40].params, states[0].params)
  assert 0 < _distance(states[40].ema_params, states[0].params) < step
  assert 0 < _distance(states[40].target_params, states[0].params) < step


def test_phase_two_lowers_the_lab_loss(quick_compiles):
  config = changed(**{
    "train.phase1_steps": 0, "train.phase2_steps": 100, "consistency.target": "stop_gradient",
  })  # fmt: skip
  states, losses = run(config, jax.devices()[:1], phase=2, steps=30)
  assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
  assert states[30].target_params == {} and states[30].step == 30


def test_an_unknown_name_is_refused_before_anything_is_compiled():
  config = changed(**{"consistency.distance": "l3"})
  with pytest.raises(UserError, match="consistency.distance.*'l3'.*l2, charbonnier"):
    train_step.make_loss(config, Method.from_config(config), phase=1)


def _distance(a, b):
  return sum(np.sum((x - y) ** 2) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b)))  # noqa: B905
