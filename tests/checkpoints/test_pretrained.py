"""Parameters by name, file, run or checkpoint."""

import jax
import numpy as np
import pytest

from expocm_jax.checkpoints import pretrained
from expocm_jax.errors import UserError
from tests.support import small_run


@pytest.fixture
def shipped(tmp_path, monkeypatch):
  """The only shipped set, `w`."""
  folder = tmp_path / "shipped"
  folder.mkdir()
  monkeypatch.setattr(pretrained, "FOLDER", folder)
  return small_run.save_untrained(folder / "w.safetensors")


def test_a_path_comes_first_then_a_shipped_name(shipped, tmp_path):
  assert pretrained.find_weights("w") == shipped
  assert pretrained.find_weights(shipped) == shipped
  assert pretrained.find_weights(tmp_path) == tmp_path
  for name in ("v", "../w", tmp_path / "w"):
    with pytest.raises(UserError, match=r"shipped names \(w\)"):
      pretrained.find_weights(name)


def test_the_estimator_of_responses_is_no_name(shipped):
  shipped.rename(shipped.with_stem(pretrained.RESPONSE))
  with pytest.raises(UserError, match=r"shipped names \(none\)"):
    pretrained.find_weights(pretrained.RESPONSE)


def test_a_name_gives_config_and_parameters(shipped):
  config, params = pretrained.load("w")
  assert config.model.base_width == small_run.config().model.base_width
  by_path = pretrained.load(shipped)[1]
  jax.tree.map(np.testing.assert_array_equal, params, by_path)


def test_every_shipped_set_can_be_used():
  names = {path.stem for path in pretrained.FOLDER.glob("*.safetensors")} - {pretrained.RESPONSE}
  assert "tiny" in names
  for name in names:
    config, params = pretrained.load(name)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) > 1e5
    assert config.domain.headroom == 16.0
