"""The wheel: built, installed into a folder of its own, and used from another one."""

import ast
import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import expocm_jax

ROOT = pathlib.Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("quick_compiles")


# Import -> distribution, where their names differ by more than case and "_".
DISTRIBUTIONS = {"PIL": "pillow", "absl": "absl-py", "orbax": "orbax-checkpoint"}
EXTRAS = {"cv2": "calibrate", "pycvvdp": "cvvdp"}  # import -> the extra that brings it


@pytest.fixture(scope="module")
def source(tmp_path_factory):
  """A copy of the checkout: building writes beside its source."""
  folder = tmp_path_factory.mktemp("package") / "source"
  ignored = shutil.ignore_patterns(".git", "__pycache__", ".venv", "build", "*.egg-info", "runs")
  for name in ("expocm_jax", "configs", "input_pipeline", "tests"):
    shutil.copytree(ROOT / name, folder / name, ignore=ignored)
  for name in ("pyproject.toml", "requirements-package.txt", "README.md", "LICENSE", "main.py"):
    shutil.copy(ROOT / name, folder)
  return folder


@pytest.fixture(scope="module")
def installed(source):
  """The folder that the package is installed in."""
  return install(source.parent / "site", "--target", source.parent / "site", source)


def install(folder, *arguments):
  subprocess.run(
    [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
     "--no-index", "--disable-pip-version-check", "--no-warn-script-location", *arguments],
    check=True,
  )  # fmt: skip
  return folder


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
    "Reconstructor.from_pretrained('tiny')\n"
    f"assert expocm_jax.__file__.startswith({str(installed)!r})\n",
  )
  assert status == 0, error


def test_the_wheel_has_every_file_of_the_package(source, installed):
  def files(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in paths if path.suffix != ".pyc"}

  wheel = files(installed / "expocm_jax")
  assert wheel == files(source / "expocm_jax")
  assert {pathlib.Path(name).suffix for name in wheel} == {
    ".py", ".safetensors", ".m", ".html", ".css", ".js"
  }  # fmt: skip


def test_the_wheel_requires_what_its_modules_import(installed):
  imported = set()
  for path in (installed / "expocm_jax").rglob("*.py"):
    for node in ast.walk(ast.parse(path.read_text())):
      if isinstance(node, ast.Import):
        imported |= {alias.name.partition(".")[0] for alias in node.names}
      elif isinstance(node, ast.ImportFrom):
        imported.add(node.module.partition(".")[0])
  imported -= {"expocm_jax", "configs", "input_pipeline", *sys.stdlib_module_names}
  (found,) = importlib.metadata.distributions(name="expocm_jax", path=[str(installed)])
  required = [text for text in found.requires if "extra ==" not in text]
  names = {re.match(r"[\w-]+", text)[0].lower() for text in required}
  assert EXTRAS.keys() <= imported and set(EXTRAS.values()) == set(
    found.metadata.get_all("Provides-Extra")
  )
  wanted = {DISTRIBUTIONS.get(name, name) for name in imported - EXTRAS.keys()}
  assert names == {name.lower().replace("_", "-") for name in wanted}


def test_help_lists_only_what_the_package_runs(installed, tmp_path):
  command = [sys.executable, installed / "bin" / "expocm", "--help"]
  environment = os.environ | {"PYTHONPATH": str(installed)}
  out = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True)
  modes = re.findall(r"^  (\w+) ", out, re.MULTILINE)
  assert modes == ["reconstruct", "calibrate", "benchmark", "export"]
  assert "--weights:" in out and "--views:" not in out and "--config:" not in out


def test_an_editable_installation_is_a_checkout(source, tmp_path):
  prefix = install(tmp_path / "prefix", "--prefix", tmp_path / "prefix", "--editable", source)
  (site,) = prefix.rglob("site-packages")
  # What Python does at its start with the folders of its own installation.
  (site / "sitecustomize.py").write_text(f"import site\nsite.addsitedir({str(site)!r})\n")
  (command,) = prefix.rglob("expocm")
  status, error = run(
    site, tmp_path, command, "--mode=inspect", "--config.data.source=procedural", "--limit=1"
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
