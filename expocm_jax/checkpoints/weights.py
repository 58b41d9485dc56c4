"""Weight files: the parameters of inference with their configuration, in one safe file.

The format is safetensors: flat names "a/b/c", float32 tensors, and text; no code runs on
loading. The text holds the configuration (JSON), the project's version, a training summary and
a SHA-256 of the tensors, which loading verifies.
"""

import contextlib
import hashlib
import json
import os
import pathlib
from typing import Any

import jax
import numpy as np
import safetensors
import safetensors.numpy
from ml_collections import ConfigDict

import expocm_jax
from expocm_jax.checkpoints import saved_config
from expocm_jax.errors import UserError, first_line
from expocm_jax.image_io import atomic_path
from expocm_jax.method.expocm import Method

SUFFIX = ".safetensors"
FORMAT = "expocm_jax weights 1"
FOLDER = pathlib.Path(__file__).with_name("shipped")


def find_weights(name_or_path: str | os.PathLike) -> pathlib.Path:
  """The path of a weights file or checkpoint folder, or of the shipped set of that name.

  A path that exists comes first. Raises UserError when nothing fits, naming what is shipped.
  """
  path = pathlib.Path(name_or_path).expanduser()
  shipped = FOLDER / f"{name_or_path}{SUFFIX}"
  if path.exists():
    return path
  if path.name == str(name_or_path) and shipped.is_file():
    return shipped
  names = ", ".join(sorted(file.stem for file in FOLDER.glob(f"*{SUFFIX}"))) or "none"
  raise UserError(
    f"{name_or_path}: no such weights file, run folder or shipped set; "
    f"give a path, or one of the shipped names ({names})"
  )


def save_weights(
  path: str | os.PathLike, params: Any, config: ConfigDict, *, info: dict[str, Any] | None = None
) -> None:
  """Writes `params` (a pytree of arrays) and `config` to `path`, whole or not at all.

  `info` is a flat summary of the training, kept as JSON. Raises UserError when the place cannot
  be written.
  """
  path = pathlib.Path(path)
  tensors = {name: np.asarray(leaf, np.float32) for name, leaf in _flatten(params)}
  metadata = {
    "format": FORMAT,
    "version": expocm_jax.__version__,
    "config": config.to_json(),
    "info": json.dumps(info or {}),
    "sha256": _digest(tensors),
  }
  data = safetensors.numpy.save(tensors, metadata)
  with contextlib.suppress(OSError):  # atomic_path tells what is wrong
    path.parent.mkdir(parents=True, exist_ok=True)
  with atomic_path(path) as temporary:
    temporary.write_bytes(data)


def load_weights(path: str | os.PathLike) -> tuple[ConfigDict, Any, dict[str, Any]]:
  """Reads a file of `save_weights`: (config, params of numpy arrays, info).

  Raises UserError when the file is missing, is no weights file, is damaged, or holds tensors
  that do not fit the network of its configuration.
  """
  tensors, metadata = _read(pathlib.Path(path))
  if metadata.get("format") != FORMAT:
    raise UserError(
      f"{path}: a safetensors file, but not weights of this program; make one with --mode=export"
    )
  if metadata.get("sha256") != _digest(tensors):
    raise UserError(
      f"{path}: the tensors do not match their checksum; "
      "the file is damaged, fetch or export it again"
    )
  try:
    config = saved_config.from_json(json.loads(metadata["config"]))
    info = json.loads(metadata["info"])
    expected = jax.eval_shape(Method.from_config(config).init_params, jax.random.key(0))
  except (KeyError, AttributeError, TypeError, ValueError, UserError) as error:
    raise UserError(
      f"{path}: its configuration cannot be used ({first_line(error)}); "
      "export it again with this version"
    ) from error
  return config, _fit(path, tensors, expected), info


def _read(path: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
  """The tensors and the text of a safetensors file."""
  if path.is_dir():
    raise UserError(f"{path}: a folder, not a weights file; name a {SUFFIX} file")
  try:
    with safetensors.safe_open(path, framework="numpy") as file:
      return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
  except FileNotFoundError as error:
    raise UserError(f"{path}: no such weights file; check the path") from error
  except (safetensors.SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
    raise UserError(
      f"{path}: not a readable weights file ({first_line(error)}); fetch or export it again"
    ) from error


def _fit(path: Any, tensors: dict[str, np.ndarray], expected: Any) -> Any:
  """The tensors in the structure of `expected`, every name and shape accounted for."""
  named = _flatten(expected)
  missing = [name for name, _ in named if name not in tensors]
  extra = sorted(set(tensors) - {name for name, _ in named})
  if missing or extra:
    which, name = ("lacks", missing[0]) if missing else ("has an unknown", extra[0])
    raise UserError(
      f"{path}: {which} tensor {name!r}; "
      "they belong to another version of the network, export them again"
    )
  for name, leaf in named:
    tensor = tensors[name]
    if tensor.shape != leaf.shape or tensor.dtype != np.float32:
      raise UserError(
        f"{path}: tensor {name!r} is {tensor.dtype}{list(tensor.shape)}, expected "
        f"float32{list(leaf.shape)}; "
        "they belong to another version of the network, export them again"
      )
    if not np.isfinite(tensor).all():
      raise UserError(
        f"{path}: tensor {name!r} holds NaN or infinity; "
        "the training failed, use an earlier checkpoint"
      )
  return jax.tree.unflatten(jax.tree.structure(expected), [tensors[name] for name, _ in named])


def _flatten(params: Any) -> list[tuple[str, Any]]:
  """Leaves in order, each with its path as "a/b/c"."""
  leaves, _ = jax.tree_util.tree_flatten_with_path(params)
  return [(jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in leaves]


def digest(params: Any) -> str:
  """The SHA-256 that identifies parameters: that of a weights file with them."""
  return _digest({name: np.asarray(leaf, np.float32) for name, leaf in _flatten(params)})


def _digest(tensors: dict[str, np.ndarray]) -> str:
  """SHA-256 over names, shapes and bytes, in the order of the names."""
  sha = hashlib.sha256()
  for name in sorted(tensors):
    tensor = np.ascontiguousarray(tensors[name])
    sha.update(f"{name}{tensor.dtype}{tensor.shape}".encode())
    sha.update(tensor.tobytes())
  return sha.hexdigest()
