"""Checkpoints: what comes back, which are kept, and what a damaged one says."""

import shutil

import jax
import numpy as np
import pytest

from expocm_jax.checkpoints.runs import Checkpoints, load_for_inference
from expocm_jax.errors import UserError
from expocm_jax.method.expocm import Method
from expocm_jax.training.processes import make_mesh, replicated
from expocm_jax.training.state import create_state
from tests.support import small_run

CONFIG = small_run.config()


def state_on(devices):
  return create_state(CONFIG, Method.from_config(CONFIG), make_mesh(devices))


def like(state, devices):
  everywhere = replicated(make_mesh(devices))
  shape = lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=everywhere)
  return jax.tree.map(shape, state)


@pytest.fixture(scope="module")
def state(quick_compiles):
  return state_on(jax.devices())


@pytest.fixture(scope="module")
def written(state, tmp_path_factory):
  """A run's folder with checkpoints at 1 to 5, of which `keep` and the best are left."""
  run = tmp_path_factory.mktemp("run")
  checkpoints = Checkpoints(run / "checkpoints", keep=2)
  for step, score in enumerate([20.0, 30.0, 10.0, None, 25.0], start=1):
    marked = state._replace(step=state.step + step)
    checkpoints.save(step, marked, {"batches": step}, CONFIG, score=score)
    marked.step.delete()  # as the donating train step does
  assert checkpoints.best_step() == 2
  checkpoints.close()
  return run


@pytest.fixture
def copy(written, tmp_path):
  return shutil.copytree(written, tmp_path / "run")


def test_the_newest_and_the_best_are_kept(written):
  assert sorted(path.name for path in (written / "checkpoints").iterdir()) == ["2", "4", "5"]


def test_a_state_comes_back_bit_for_bit_on_other_devices(state, written):
  config = small_run.config(log_every=7)  # a harmless difference
  config.data.root = "elsewhere"
  checkpoints = Checkpoints(written / "checkpoints", keep=2)
  assert (checkpoints.newest_step(), checkpoints.best_step()) == (5, 2)
  wanted = like(state, jax.devices()[:1])
  restored, position = checkpoints.restore(5, wanted, config)
  checkpoints.close()
  assert position == {"batches": 5}
  assert jax.tree.structure(restored) == jax.tree.structure(state)
  saved = state._replace(step=np.int32(5))
  for a, b, w in zip(*map(jax.tree.leaves, (restored, saved, wanted)), strict=True):
    assert a.sharding == w.sharding
    np.testing.assert_array_equal(a, b)


def test_another_config_is_refused(state, written):
  config = small_run.config()
  config.optim.peak_lr = 1.0
  config.camera.jpeg_quality = (1, 2)
  checkpoints = Checkpoints(written / "checkpoints", keep=2)
  with pytest.raises(UserError, match=r"camera.jpeg_quality=\[60, 98\], this run has .*1 more"):
    checkpoints.restore(5, like(state, jax.devices()), config)
  checkpoints.close()


@pytest.mark.parametrize("path", ["", "checkpoints", "checkpoints/2"])
def test_inference_needs_no_config_file(state, written, path):
  config, params = load_for_inference(written / path)
  assert config.to_dict() == CONFIG.to_dict()
  assert config.model.multipliers == (1, 2)  # a tuple again
  for a, b in zip(*map(jax.tree.leaves, (params, state.ema_params)), strict=True):
    assert isinstance(a, np.ndarray)
    np.testing.assert_array_equal(a, b)


def test_an_unfinished_save_does_not_count(copy):
  unfinished = copy / "checkpoints" / "9.orbax-checkpoint-tmp"
  shutil.copytree(copy / "checkpoints" / "5", unfinished)
  load_for_inference(copy)
  checkpoints = Checkpoints(copy / "checkpoints", keep=2)
  assert checkpoints.newest_step() == 5
  checkpoints.close()


def test_what_is_no_checkpoint_says_so(tmp_path):
  (tmp_path / "file").write_text("")
  (tmp_path / "empty").mkdir()
  (tmp_path / "other" / "state").mkdir(parents=True)
  for name, message in {
    "missing": "no such folder", "file": "not a folder", "empty": "holds no complete checkpoint",
    "other": "cannot be read",
  }.items():  # fmt: skip
    with pytest.raises(UserError, match=f"{name}: .*{message}") as error:
      load_for_inference(tmp_path / name)
    assert "\n" not in str(error.value)
  with pytest.raises(UserError, match="file.*cannot save checkpoints.*--workdir"):
    Checkpoints(tmp_path / "file" / "checkpoints", keep=1)


def test_a_full_disk_is_noticed_before_the_save(state, monkeypatch, tmp_path):
  checkpoints = Checkpoints(tmp_path, keep=1)
  usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
  monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
  with pytest.raises(UserError, match="no space left: 1.0 MiB free, .* make room"):
    checkpoints.save(1, state, {}, CONFIG, score=None)
  checkpoints.close()
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["config/metadata", "state/manifest.ocdbt"])
@pytest.mark.parametrize("how", ["missing", "cut"])
def test_a_damaged_checkpoint_says_so(copy, damage, how):
  path = copy / "checkpoints" / "5" / damage
  data = path.read_bytes()
  path.unlink()
  if how == "cut":
    path.write_bytes(data[: len(data) // 2])
  with pytest.raises(UserError, match="checkpoints/5: .*use another one") as error:
    load_for_inference(copy)
  assert "\n" not in str(error.value)


def test_a_network_of_another_shape_says_so(copy):
  path = copy / "checkpoints" / "5" / "config" / "metadata"
  path.write_text(path.read_text().replace('"base_width": 4', '"base_width": 8'))
  with pytest.raises(UserError, match="do not fit"):
    load_for_inference(copy)
  path.write_text(path.read_text().replace('"blocks"', '"blocs"'))
  with pytest.raises(UserError, match="does not fit this version.*blocs"):
    load_for_inference(copy)
