"""HDR-SYNTH's pair maker: exposure, response curves, JPEG; deterministic; splits; prepared."""

import numpy as np
import pytest

from configs import default
from expocm_jax.errors import UserError
from input_pipeline import prepare
from input_pipeline.batches import fixed_views, make_train_iterator
from input_pipeline.datasets.prepared import PreparedPairs
from input_pipeline.source import make_source
from tests.support import dataset_trees as trees
from tests.support.dorf import CURVES, write_dorf


def make_config(root, **data):
  config = default.get_config()
  config.data.update(source="pairs", dataset="hdr_synth", root=str(root), workers=0, crop=8, **data)
  config.camera.jpeg_quality = (100, 100)
  config.train.batch_size = 2
  return config


def views_of(config, views=1, size=None):
  source, example = make_source(config, "test")
  for index in range(len(source)):
    yield from fixed_views(source, example, index, range(views), size=size)


@pytest.fixture
def folder(tmp_path):
  trees.hdr_synth(tmp_path / "set")
  return tmp_path / "set"


def test_a_photo_is_the_exposed_scene_through_a_curve_of_the_file(tmp_path, folder):
  config = make_config(folder, response_curves=write_dorf(tmp_path / "dorfCurves.txt"))
  config.domain.headroom = 1e6
  source, _ = make_source(config, "test")
  scene = source[0]["radiance"].astype(np.float32)
  used, stops = set(), []
  for record in views_of(config, views=24):
    hdr, ldr = record["hdr"], record["ldr"]
    np.testing.assert_allclose(hdr / hdr.mean(), scene / scene.mean(), rtol=1e-4)
    stops.append(np.log2(hdr.mean() / 0.5))
    clipped = np.minimum(hdr, 1.0)
    errors = {"square": clipped**2 - ldr, "bulge": clipped * (2 - clipped) - ldr}
    (name,) = [name for name, error in errors.items() if np.abs(error).max() < 0.51 / 255]
    used.add(name)
  assert used == set(CURVES)
  assert -3 <= min(stops) < -1.5 and 1.5 < max(stops) <= 3


def test_without_the_file_the_cameras_curves_and_jpeg_serve(folder):
  config = make_config(folder)
  none = (0.0, 0.0)
  config.camera.update(response_gamma=(1.0, 1.0), response_s=none, response_film=none)
  config.camera.response_channel = 0.0
  for record in views_of(config, views=3):
    np.testing.assert_allclose(record["ldr"], trees.srgb(record["hdr"]), atol=0.61 / 255)
    assert record["hdr"].max() <= config.domain.headroom
  sharp = next(views_of(config))
  config.camera.response_film = (1.0, 1.0)
  assert np.abs(next(views_of(config))["ldr"] - sharp["ldr"]).max() > 0.01
  config.camera.response_film = none
  config.camera.jpeg_quality = (30, 30)
  assert np.abs(next(views_of(config))["ldr"] - sharp["ldr"]).max() > 0.01


def test_records_depend_on_index_view_and_seed_alone(folder):
  config = make_config(folder)
  first, second = list(views_of(config, views=2, size=8))
  again = list(views_of(config, views=2, size=8))
  assert first["ldr"].shape == (8, 8, 3) and first["scene"] == second["scene"]
  np.testing.assert_array_equal(first["hdr"], again[0]["hdr"])
  assert not np.array_equal(first["hdr"], second["hdr"])
  batches = [next(make_train_iterator(config)) for _ in range(2)]
  np.testing.assert_array_equal(batches[0]["ldr"], batches[1]["ldr"])
  config.data.shuffle_seed = 1
  other = next(make_train_iterator(config))
  assert not np.array_equal(batches[0]["hdr"], other["hdr"])


def test_split_folders_and_their_lack(tmp_path, folder):
  names = {
    split: set(make_source(make_config(folder), split)[0].names)
    for split in ("train", "validation", "test")
  }
  assert names["test"] == {"test0"} and len(names["validation"]) == 1
  assert names["train"] | names["validation"] == {"train0", "train1", "train2"}
  (folder / "test/test0.hdr").rename(folder / "train/more.hdr")
  (folder / "test").rmdir()
  with pytest.raises(UserError, match="has no test folder"):
    make_source(make_config(folder), "test")
  with pytest.raises(UserError, match="no such folder"):
    make_source(make_config(tmp_path / "nowhere"), "test")


def test_prepared_pairs_are_fixed_and_keep_the_whole_range(tmp_path, folder):
  written = prepare.prepare(make_config(folder), tmp_path / "out", views=3)
  assert written == {"train": 6, "validation": 3, "test": 3}
  source = PreparedPairs(tmp_path / "out", "test", dataset="hdr_synth")
  config = make_config(folder)
  config.domain.headroom = 1e6
  views = {record["name"]: record for record in views_of(config, views=3)}
  for index in range(3):
    record = source[index]
    np.testing.assert_array_equal(record["ldr"], views[record["name"]]["ldr"])
    np.testing.assert_array_equal(record["hdr"], views[record["name"]]["hdr"])
    assert record["ldr"].shape == (20, 24, 3)
