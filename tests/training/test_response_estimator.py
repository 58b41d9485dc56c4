"""Training of the response estimator: its tables of photos, and that it learns."""

import jax
import numpy as np
import pytest

from configs import response as response_config
from expocm_jax.checkpoints import weights
from expocm_jax.errors import UserError
from expocm_jax.network import response_estimator as network
from expocm_jax.training import response_estimator
from input_pipeline.camera import photograph
from input_pipeline.source import make_source


def small_config(**estimator):
  """Made-up scenes, few of them through `few_scenes`."""
  config = response_config.get_config()
  config.estimator.update({"views": 6, "features": 16, "srgb_share": 0.4} | estimator)
  config.data.source = "procedural"
  config.data.crop = 32
  config.train.batch_size = 8
  config.train.phase1_steps = 200
  return config


@pytest.fixture(scope="module")
def scenes():
  source, _ = make_source(small_config(), "train")
  return [source[index] for index in range(3)]


@pytest.fixture
def few_scenes(scenes, monkeypatch):
  monkeypatch.setattr(response_estimator, "make_source", lambda config, split: (scenes, None))
  monkeypatch.setattr(response_estimator, "VIEWS", 2)
  monkeypatch.setattr(response_estimator, "SIZE", 32)


def mu_law64(linear):
  return np.log(1 + 5000 * np.clip(linear / 16, 0, 1)) / np.log(5001)


def test_tables_are_those_of_the_photos(few_scenes):
  config = small_config()
  tables = response_estimator.photo_tables(config)
  assert {name: value.shape[0] for name, value in tables.items()} == dict.fromkeys(tables, 18)
  np.testing.assert_allclose(tables["shares"].sum(axis=(1, 2)), 1, rtol=1e-5)
  assert set(tables["weight"]) == {1.0, np.float32(config.estimator.srgb_weight)}
  codes = np.arange(256) / 255
  srgb = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
  levels = np.broadcast_to(mu_law64(srgb) / mu_law64(1), tables["levels"].shape)
  are_srgb = np.abs(tables["levels"] - levels).max(axis=(1, 2)) < 2e-3
  np.testing.assert_array_equal(are_srgb, tables["weight"] > 1)


def test_the_floor_is_the_error_that_the_true_response_leaves(scenes):
  config, scene = small_config(), scenes[0]
  camera = photograph.Camera(**config.camera)
  codes, exposed, table = response_estimator.take(
    scene, np.random.default_rng(3), size=32, camera=camera
  )
  linear = np.stack([table[codes[..., c], c] for c in range(3)], axis=-1)
  wanted = np.mean((mu_law64(np.float64(linear)) - mu_law64(np.float64(exposed))) ** 2)
  got = response_estimator.mean_square_error(
    response_estimator.linearised(codes, table), exposed, config
  )
  assert got == pytest.approx(wanted, rel=1e-6)


def test_it_learns_a_response_that_all_photos_share(few_scenes, tmp_path, capsys):
  """All with one curve: what was learnt is better than reading them as sRGB."""
  config = small_config(srgb_share=0.0, dropout=0.0)
  config.camera.response_film = (1.0, 1.0)
  config.camera.film_exponent = (0.9, 0.9)
  config.camera.film_sigma = (0.6, 0.6)
  config.camera.response_channel = 0.0
  figures = response_estimator.main(config, output=tmp_path / "r.safetensors")
  assert figures["film-like"]["gain"] > 3
  assert "film-like" in capsys.readouterr().out
  saved, params, info = weights.load_weights(tmp_path / "r.safetensors", init=network.init_params)
  assert saved == config and info == figures
  assert sum(leaf.size for leaf in jax.tree.leaves(params)) > 5000


@pytest.mark.parametrize(
  "spoil, output, problem",
  [
    (lambda config: config.data.update(source="pairs"), "r.safetensors", "source=pairs"),
    (
      lambda config: config.estimator.update(views=0),
      "r.safetensors",
      "views=0: must be at least 1",
    ),
    (lambda config: None, "r.csv", "end in .safetensors"),
  ],
)
def test_what_cannot_be_done(spoil, output, problem, tmp_path):
  config = small_config()
  spoil(config)
  with pytest.raises(UserError, match=problem):
    response_estimator.main(config, output=tmp_path / output)
  assert not list(tmp_path.iterdir())


def test_a_config_of_another_program(tmp_path):
  from configs import default

  with pytest.raises(UserError, match="configs/response.py"):
    response_estimator.main(default.get_config(), output=tmp_path / "r.safetensors")
