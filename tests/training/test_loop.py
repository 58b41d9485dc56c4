"""The training program: a run that was killed and stopped equals one that was not."""

import os
import pathlib
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest

from expocm_jax.checkpoints.runs import Checkpoints, load_for_inference
from expocm_jax.errors import UserError
from expocm_jax.image_io import read_ldr
from expocm_jax.method.expocm import Method
from expocm_jax.training import loop
from expocm_jax.training.metric_writer import read_rows
from expocm_jax.training.processes import make_mesh, replicated
from expocm_jax.training.state import create_state
from input_pipeline import batches
from tests.support import small_run

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = """
import signal, sys
import jax
jax.config.update("jax_num_cpu_devices", 8)  # as here: the number of threads decides on rounding
from expocm_jax.training import loop, processes
from tests.support import small_run
from tests.training import test_loop
workdir, number, position = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
loop.make_mesh = lambda: processes.make_mesh(jax.devices()[:1])
test_loop.raise_at(position, number)
loop.main(small_run.config(), workdir)
"""
draw = batches.TrainIterator.__next__


def raise_at(position, number):
  """Runs of this process get the signal when they ask for the batch after `position`."""

  def interrupted(iterator):
    if iterator.get_state()["batches"] == position:
      signal.raise_signal(number)
    return draw(iterator)

  batches.TrainIterator.__next__ = interrupted


@pytest.fixture(scope="module", autouse=True)
def compiled_once(quick_compiles, tmp_path_factory):
  """All runs, in this process and others, use one device and share compiled programs."""
  folder = str(tmp_path_factory.mktemp("compiled"))
  jax.config.update("jax_compilation_cache_dir", folder)
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
  patch = pytest.MonkeyPatch()
  patch.setattr(loop, "make_mesh", lambda: make_mesh(jax.devices()[:1]))
  yield folder
  patch.undo()
  jax.config.update("jax_compilation_cache_dir", None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
  """A run from start to end without interruption."""
  workdir = tmp_path_factory.mktemp("whole")
  loop.main(small_run.config(), workdir)
  return workdir


def newest_state(workdir):
  config = small_run.config()
  mesh = make_mesh(jax.devices()[:1])
  shapes = jax.eval_shape(lambda: create_state(config, Method.from_config(config), mesh))
  like = jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=replicated(mesh)), shapes
  )
  checkpoints = Checkpoints(workdir / "checkpoints", keep=3)
  step = checkpoints.newest_step()
  state, position = checkpoints.restore(step, like, config)
  checkpoints.close()
  return step, state, position


def run_until(workdir, cache, number, position):
  """A run in another process that gets a signal: exit status and what it said."""
  env = dict(
    os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
    JAX_COMPILATION_CACHE_DIR=cache, JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0.5",
  )  # fmt: skip
  command = [sys.executable, "-c", RUN, str(workdir), str(int(number)), str(position)]
  done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
  return done.returncode, done.stderr


def test_a_run_leaves_what_it_promises(whole):
  rows = read_rows(whole)
  assert [row["step"] for row in rows if "train/loss" in row] == list(range(2, 19, 2))
  assert ["train/elc" in row for row in rows if "phase" in row] == [False] * 6 + [True] * 3
  validations = {row["step"]: row for row in rows if "validation/output/all" in row}
  assert list(validations) == [0, 9, 18]
  # An untrained network returns the linearised input; tone curve and noise leave it imperfect.
  for region in ("all", "clipped", "well_exposed"):
    ours, theirs = (validations[0][f"validation/{w}/{region}"] for w in ("output", "input"))
    assert abs(ours - theirs) < 3.0
  assert sorted(path.name for path in (whole / "checkpoints").iterdir()) == ["12", "16", "18"]
  sheet = read_ldr(whole / "sheets" / "step_00000018.png")
  assert sheet.shape == (4 * (16 + 2), 8 * (16 + 2), 3)
  config, _ = load_for_inference(whole)
  assert config.to_dict() == small_run.config().to_dict()


def test_killed_stopped_and_resumed_equals_uninterrupted(
  whole, compiled_once, monkeypatch, capsys, tmp_path
):
  status, said = run_until(tmp_path, compiled_once, signal.SIGKILL, 8)
  assert status == -signal.SIGKILL, said
  saved = newest_state(tmp_path)[0]
  assert saved in (4, 8)  # the save at 8 was under way

  status, said = run_until(tmp_path, compiled_once, signal.SIGINT, 10)
  assert status == 130, said
  assert f"resumes after step {saved} of 18" in said and "the same command resumes it" in said
  assert newest_state(tmp_path)[0] == 11  # the step that the signal came in is done

  monkeypatch.setattr(batches.TrainIterator, "__next__", draw)
  raise_at(15, signal.SIGTERM)
  with pytest.raises(SystemExit, match="143"):
    loop.main(small_run.config(), tmp_path)
  assert "resumes after step 11 of 18" in capsys.readouterr().err
  assert newest_state(tmp_path)[0] == 16
  monkeypatch.undo()

  loop.main(small_run.config(), tmp_path)
  step, state, position = newest_state(tmp_path)
  assert (step, position) == (18, newest_state(whole)[2])
  jax.tree.map(np.testing.assert_array_equal, state, newest_state(whole)[1])
  assert all(path.name.isdigit() for path in (tmp_path / "checkpoints").iterdir())
  validations = lambda run: [r for r in read_rows(run) if "validation/output/all" in r]
  assert validations(tmp_path) == validations(whole)


@pytest.mark.parametrize("validate_every", [9, 7])  # at the last of them, or after a save
def test_a_diverged_run_names_the_step_and_keeps_the_checkpoint_before(
  validate_every, monkeypatch, tmp_path
):
  losses = iter([1.0, 0.5, 0.4, 0.3, 0.2, float("nan"), 0.1, 0.1])

  def step(state, batch):
    loss = np.float32(next(losses))
    params = jax.tree.map(lambda leaf: leaf * loss, state.ema_params)
    return state._replace(ema_params=params), {"loss": loss}

  fake = lambda *args, **options: step
  monkeypatch.setattr(loop, "make_train_step", fake)
  with pytest.raises(UserError, match="loss is nan at step 6; "):
    loop.main(small_run.config(log_every=100, validate_every=validate_every), tmp_path)
  assert newest_state(tmp_path)[0] == 4


@pytest.mark.parametrize(
  ("field", "value", "message"),
  [
    ("optim.accumulate", 3, "multiple of 1 device.*accumulate=3"),
    ("data.crop", 15, "not a multiple of 2"),
    ("consistency.anchor_fraction", 0.1, "less than one record of a batch of 8; use 1/8 or more"),
    ("train.save_every", 0, "at least 1"),
    ("model.base_width", 8, "base_width=4, this run has 8"),
    ("train.phase2_steps", 7, "phase2_steps=6, this run has 7"),
  ],
)
def test_what_does_not_fit_is_refused(whole, field, value, message):
  config = small_run.config()
  config.update_from_flattened_dict({field: value})
  with pytest.raises(UserError, match=message):
    loop.main(config, whole)


def test_a_workdir_that_cannot_be_written(tmp_path):
  with pytest.raises(UserError, match="gs://bucket.*not a folder; mount"):
    loop.main(small_run.config(), "gs://bucket/run")
  (tmp_path / "file").write_text("")
  with pytest.raises(UserError, match="file.*--workdir"):
    loop.main(small_run.config(), tmp_path / "file")
