"""The tiers: a module imports only from tiers below its own, and flax stays in two files."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent

TIERS = [
  {"errors", "color", "tonemap", "masks", "trajectories", "consistency", "schedules", "losses",
   "metrics", "tiling", "image_io", "regions", "protocols", "crf_correction", "expansion",
   "diffusion", "order_statistics", "tone_statistics", "tone_grid", "photo_context"},
  {"layers", "unet", "lpips"},
  {"method", "sharding", "optim", "train_state", "train_step", "checkpointing", "metric_writer",
   "weights", "stop_signals", "shared_folder", "saved_config", "pretrained", "config_check",
   "variants", "scoring", "journal", "perceptual"},
  {"validation", "train", "photo", "reconstructor", "preview", "predictors", "comparison", "report",
   "evaluate", "study", "speed", "reconstruct", "export", "demo", "options", "modes"},
]  # fmt: skip
MODULES = sorted((ROOT / "expocm_jax").glob("*.py"))
MODULES += [ROOT / "expocm_jax" / "image_io", ROOT / "expocm_jax" / "report"]


def imports(path):
  """Names of all modules imported anywhere in a file or in the files of a package."""
  for file in [path] if path.is_file() else path.glob("*.py"):
    for node in ast.walk(ast.parse(file.read_text())):
      if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
      elif isinstance(node, ast.ImportFrom):
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tier(module):
  return next(index for index, names in enumerate(TIERS) if module in names)


def ours(path):
  """Modules of expocm_jax that a file imports."""
  parts = [name.split(".") for name in imports(path)]
  known = set().union(*TIERS)
  return {p[1] for p in parts if p[0] == "expocm_jax" and len(p) > 1 and p[1] in known}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_modules_import_from_their_tier_or_below(path):
  if path.stem == "__init__":
    assert not ours(path)
    return
  level = tier(path.stem)
  higher = {name for name in ours(path) if tier(name) > level}
  assert not higher
  roots = {name.split(".")[0] for name in imports(path)}
  if level != 1:
    assert "flax" not in roots
  if level == 0:
    assert "ml_collections" not in roots
  if path.stem == "image_io":
    assert "jax" not in roots
  if path.stem != "checkpointing":
    assert "orbax" not in roots


def test_the_input_pipeline_imports_only_image_io_and_errors():
  for path in (ROOT / "input_pipeline").glob("*.py"):
    allowed = {"image_io", "errors"} | ({"sharding"} if path.stem == "pipeline" else set())
    assert ours(path) <= allowed, path.name


def test_files_stay_small():
  for path in [*ROOT.glob("*/*.py"), *ROOT.glob("expocm_jax/*/*.py")]:
    assert len(path.read_text().splitlines()) <= 300, path.name


def test_main_is_short():
  assert len((ROOT / "main.py").read_text().splitlines()) < 90
