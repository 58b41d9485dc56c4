"""Weight files: the parameters of inference with their configuration, in one safe file.

The format is safetensors: flat names "a/b/c", float32 tensors, and text; no code runs on
loading. The text holds the configuration (JSON), the project's version, a training summary and
a SHA-256 of the tensors, which loading verifies.
"""

import contextlib
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import safetensors
import safetensors.numpy
from flax import traverse_util
from ml_collections import ConfigDict

from expocm_jax import __version__
from expocm_jax.errors import UserError, first_line
from expocm_jax.image_io import atomic_path
from expocm_jax.method.expocm import Method

SUFFIX = ".safetensors"
FORMAT = "expocm_jax weights 1"


def save_weights(
  path: str | os.PathLike, params: Any, config: ConfigDict, *, info: dict[str, Any] | None = None
) -> None:
  """Writes `params` (a pytree of arrays) and `config` to `path`, whole or not at all.

  `info` is a flat summary of the training, kept as JSON. Raises UserError when the place cannot
  be written.
  """
  path = pathlib.Path(path)
  tensors = _flatten(jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), params))
  metadata = {
    "format": FORMAT,
    "version": __version__,
    "config": config.to_json(),
    "info": json.dumps(info or {}),
    "sha256": _digest(tensors),
  }
  data = safetensors.numpy.save(tensors, metadata)
  with contextlib.suppress(OSError):  # atomic_path tells what is wrong
    path.parent.mkdir(parents=True, exist_ok=True)
  with atomic_path(path) as temporary:
    temporary.write_bytes(data)


def _network(config: ConfigDict, key: jax.Array) -> Any:
  return Method.from_config(config).init_params(key)


def load_weights(
  path: str | os.PathLike, *, init: Callable[[ConfigDict, jax.Array], Any] = _network
) -> tuple[ConfigDict, Any, dict[str, Any]]:
  """Reads a file of `save_weights`: (config, params of numpy arrays, info).

  `init` makes fresh parameters of a config from a key: those of the network, unless given.

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
    config = config_from_json(json.loads(metadata["config"]))
    info = json.loads(metadata["info"])
    expected = jax.eval_shape(functools.partial(init, config), jax.random.key(0))
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
  expected = _flatten(expected)
  missing, extra = (
    sorted(a.keys() - b.keys()) for a, b in ((expected, tensors), (tensors, expected))
  )
  if missing or extra:
    which, name = ("lacks", missing[0]) if missing else ("has an unknown", extra[0])
    raise UserError(
      f"{path}: {which} tensor {name!r}; "
      "they belong to another version of the network, export them again"
    )
  for name, leaf in expected.items():
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
  return traverse_util.unflatten_dict(tensors, sep="/")


def _flatten(params: dict) -> dict[str, Any]:
  """Leaves by their path, "a/b/c"."""
  return traverse_util.flatten_dict(params, sep="/")


def digest(params: Any) -> str:
  """The SHA-256 that identifies parameters: that of a weights file with them."""
  return _digest(_flatten(jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), params)))


def _digest(tensors: dict[str, np.ndarray]) -> str:
  """SHA-256 over names, shapes and bytes, in the order of the names."""
  sha = hashlib.sha256()
  for name in sorted(tensors):
    tensor = np.ascontiguousarray(tensors[name])
    sha.update(f"{name}{tensor.dtype}{tensor.shape}".encode())
    sha.update(tensor.tobytes())
  return sha.hexdigest()


def config_from_json(saved: Any) -> ConfigDict:
  """A locked configuration from what `json.loads` gave; JSON lists become the tuples they were."""

  def with_tuples(value: Any) -> Any:
    if isinstance(value, dict):
      return {key: with_tuples(item) for key, item in value.items()}
    return tuple(map(with_tuples, value)) if isinstance(value, list) else value

  return ConfigDict(with_tuples(saved)).lock()
