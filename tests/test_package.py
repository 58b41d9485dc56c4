"""The wheel: built, installed into a folder of its own, and used from another one."""

import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import expocm_jax

ROOT = pathlib.Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("quick_compiles")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
  """The folder that the package is installed in, from a copy: building writes beside its source."""
  folder = tmp_path_factory.mktemp("package")
  source, site = folder / "source", folder / "site"
  ignored = shutil.ignore_patterns(".git", "__pycache__", ".venv", "build", "*.egg-info", "runs")
  for name in ("expocm_jax", "configs", "input_pipeline", "tests"):
    shutil.copytree(ROOT / name, source / name, ignore=ignored)
  for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE", "main.py"):
    shutil.copy(ROOT / name, source)
  subprocess.run(
    [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
     "--no-index", "--disable-pip-version-check", "--target", site, source],
    check=True,
  )  # fmt: skip
  return site


def run(site, folder, *command):
  """Runs a command in `folder` with the installed package; (status, standard error)."""
  environment = os.environ | {"PYTHONPATH": str(site), "JAX_PLATFORMS": "cpu"}
  done = subprocess.run(
    [sys.executable, *map(str, command)], cwd=folder, env=environment, capture_output=True,
    text=True, check=False,
  )  # fmt: skip
  return done.returncode, done.stderr


def test_public_names():
  assert all(getattr(expocm_jax, name) is not None for name in expocm_jax.__all__)
  assert set(expocm_jax.__all__) <= set(dir(expocm_jax))
  with pytest.raises(AttributeError, match="no attribute 'magic'"):
    _ = expocm_jax.magic


def test_nothing_lies_beside_the_package(installed):
  names = {path.name for path in installed.iterdir()}
  assert names == {"expocm_jax", f"expocm_jax-{expocm_jax.__version__}.dist-info", "bin"}
  assert {path.name for path in (installed / "bin").iterdir()} == {"expocm"}


def test_the_command_reconstructs_with_the_shipped_weights(installed, tmp_path):
  pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
  Image.fromarray(pixels).save(tmp_path / "a.png")
  status, error = run(installed, tmp_path, installed / "bin" / "expocm", "a.png", "--output=out")
  assert status == 0, error
  assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.exr", "a.preview.png"}


def test_python_finds_both_shipped_sets(installed, tmp_path):
  status, error = run(
    installed,
    tmp_path,
    "-c",
    "import expocm_jax, sys\n"
    "assert 'jax' not in sys.modules\n"
    "from expocm_jax import Reconstructor\n"
    "for name in ('tiny', 'tiny-regression'): Reconstructor.from_pretrained(name)\n"
    f"assert expocm_jax.__file__.startswith({str(installed)!r})\n",
  )
  assert status == 0, error


@pytest.mark.parametrize(
  "arguments, problem",
  [
    (["--mode=train", "--config=configs/tiny.py", "--workdir=w"], "--mode=train: runs from a chec"),
    (["--mode=export", "--workdir=w", "--output=o.safetensors"], "w: no such run"),
    (["--mode=download", "--output=o"], "--mode=download: runs from a checkout"),
    (["--mode=benchmark", "--what=pipeline"], "--what=pipeline: runs from a checkout"),
    (["missing.jpg", "--output=o"], "missing.jpg: no such file"),
    ([], "--mode: missing; name photos"),
  ],
)
def test_what_the_command_cannot_do(installed, tmp_path, arguments, problem):
  status, error = run(installed, tmp_path, installed / "bin" / "expocm", *arguments)
  assert status == 2 and len(error.splitlines()) == 1, error
  assert error.startswith("error: ") and problem in error
