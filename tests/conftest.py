"""Strict numerics and eight emulated CPU devices for every test."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import numpy as np
import pytest

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(scope="module")
def quick_compiles():
  """Halves the time to compile where the programs run for a moment only, also in subprocesses."""
  patch = pytest.MonkeyPatch()
  patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
  jax.config.update("jax_disable_most_optimizations", True)
  yield
  jax.config.update("jax_disable_most_optimizations", False)
  patch.undo()


@pytest.fixture
def pair_folder(tmp_path):
  """Twelve small pairs of photo and ground truth, one folder each."""
  from expocm_jax import image_io

  rng = np.random.default_rng(0)
  for name in range(12):
    folder = tmp_path / f"{name:05d}"
    folder.mkdir()
    ldr = rng.uniform(0.2, 0.8, (20, 24, 3)).astype(np.float32)
    image_io.write_png(folder / "input.png", ldr)
    image_io.write_hdr(folder / "gt.hdr", 3 * ldr)
  return tmp_path


def pytest_collection_modifyitems(items):
  """The longest files first, so that parallel test processes end at about the same time."""
  longest = ("test_loop.py", "test_step.py", "test_reconstructor.py", "test_cli.py")
  items.sort(key=lambda item: item.path.name not in longest)
