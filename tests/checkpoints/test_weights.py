"""Weight files: what is saved comes back, and anything else is refused in one line."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from configs import default
from expocm_jax.checkpoints import weights
from expocm_jax.errors import UserError
from expocm_jax.method.expocm import Method


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
  config = default.get_config()
  config.model.update(base_width=4, blocks=1, time_features=4, dtype="float32")
  shapes = jax.eval_shape(Method.from_config(config).init_params, jax.random.key(0))
  rng = np.random.default_rng(0)
  params = jax.tree.map(lambda leaf: rng.standard_normal(leaf.shape, np.float32), shapes)
  path = tmp_path_factory.mktemp("weights") / "sub" / "w.safetensors"
  weights.save_weights(path, params, config, info={"steps": 12})
  return path, params, config


def rewrite(saved, folder, *, tensors=None, metadata=None):
  """A copy of the file with other tensors or text, and the checksum that belongs to them."""
  with safetensors.safe_open(saved[0], framework="numpy") as file:
    old = {name: file.get_tensor(name) for name in file.keys()}
    text = file.metadata()
  if tensors is not None:
    old = tensors(old)
    text["sha256"] = weights._digest(old)
  path = folder / "changed.safetensors"
  path.write_bytes(safetensors.numpy.save(old, text | (metadata or {})))
  return path


def test_round_trip(saved):
  path, params, config = saved
  loaded_config, loaded, info = weights.load_weights(path)
  assert loaded_config == config and isinstance(loaded_config.model.multipliers, tuple)
  assert info == {"steps": 12}
  assert jax.tree.structure(loaded) == jax.tree.structure(params)
  jax.tree.map(np.testing.assert_array_equal, loaded, params)
  assert [file.name for file in path.parent.iterdir()] == [path.name]  # no temporary file left


def test_file_is_plain_safetensors(saved):
  tensors = safetensors.numpy.load_file(saved[0])
  assert all("/" in name and tensor.dtype == np.float32 for name, tensor in tensors.items())


def test_damage_is_noticed(saved, tmp_path):
  data = bytearray(saved[0].read_bytes())
  data[-5] ^= 1
  (tmp_path / "flipped.safetensors").write_bytes(data)
  (tmp_path / "short.safetensors").write_bytes(data[: len(data) // 2])
  (tmp_path / "empty.safetensors").write_bytes(b"")
  (tmp_path / "text.safetensors").write_text("hello, I am a text file of some length")
  for name, problem in (
    ("flipped", "checksum"),
    ("short", "not a readable"),
    ("empty", "not a readable"),
    ("text", "not a readable"),
    ("none", "no such"),
    (".", "a folder"),
  ):
    path = tmp_path if name == "." else tmp_path / f"{name}.safetensors"
    with pytest.raises(UserError, match=problem) as caught:
      weights.load_weights(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def without_first(tensors):
  return dict(list(tensors.items())[1:])


def with_another(tensors):
  return tensors | {"extra/kernel": np.zeros(2, np.float32)}


def transposed(tensors):
  name = next(name for name, tensor in tensors.items() if tensor.ndim > 1)
  return tensors | {name: np.ascontiguousarray(tensors[name].T)}


def with_nan(tensors):
  name = next(iter(tensors))
  return tensors | {name: np.full_like(tensors[name], np.nan)}


@pytest.mark.parametrize(
  "change, problem",
  [
    (without_first, "lacks tensor"),
    (with_another, "unknown tensor 'extra/kernel'"),
    (transposed, "expected float32"),
    (with_nan, "NaN"),
  ],
)
def test_tensors_that_do_not_fit(saved, tmp_path, change, problem):
  with pytest.raises(UserError, match=problem):
    weights.load_weights(rewrite(saved, tmp_path, tensors=change))


@pytest.mark.parametrize(
  "text, problem",
  [
    ({"format": "other"}, "not weights of this program"),
    ({"config": "{"}, "configuration"),
    ({"config": json.dumps({"model": {"base_width": 4}})}, "configuration"),
  ],
)
def test_text_that_does_not_fit(saved, tmp_path, text, problem):
  with pytest.raises(UserError, match=problem) as caught:
    weights.load_weights(rewrite(saved, tmp_path, metadata=text))
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
  ("section", "field", "value"),
  [("domain", "ldr_domain", "display"), ("trajectory", "blur_radius", 8), ("model", "heads", 4)],
)
def test_a_field_of_another_version_is_not_overlooked(saved, tmp_path, section, field, value):
  config = json.loads(saved[2].to_json())
  config[section][field] = value
  text = {"config": json.dumps(config)}
  with pytest.raises(UserError, match=f"configuration cannot be used .*{field}"):
    weights.load_weights(rewrite(saved, tmp_path, metadata=text))


def test_unwritable_place(saved):
  with pytest.raises(UserError, match="file, not a folder"):
    weights.save_weights(saved[0] / "below" / "w.safetensors", {"a": jnp.zeros(1)}, saved[2])
