"""Configurations read back from a checkpoint or a weights file."""

from typing import Any

from ml_collections import ConfigDict


def from_json(saved: dict[str, Any]) -> ConfigDict:
  """The configuration of what `json.loads` gave; JSON lists become the tuples they were."""
  return ConfigDict(_with_tuples(saved)).lock()  # as the configurations themselves are


def _with_tuples(value: Any) -> Any:
  if isinstance(value, dict):
    return {key: _with_tuples(item) for key, item in value.items()}
  return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
