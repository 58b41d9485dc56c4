"""Made-up scenes: seeded, seamless, of a real dynamic range, and fit for the camera."""

import pickle

import numpy as np
import pytest

from configs import default
from input_pipeline.camera import photograph
from input_pipeline.datasets import procedural


@pytest.fixture(scope="module")
def scenes():
  return procedural.ProceduralScenes(6, seed=3, size=(64, 128))


def test_interface(scenes):
  assert len(scenes) == len({scenes[i]["name"] for i in range(6)}) == 6
  scene = scenes[5]
  assert scene["panorama"] and scene["name"] == scenes.read(5)["name"]
  assert scene["radiance"].shape == (64, 128, 3) and scene["radiance"].dtype == np.float16
  with pytest.raises(IndexError):
    scenes[6]
  with pytest.raises(ValueError, match="twice as wide"):
    procedural.ProceduralScenes(1, seed=0, size=(64, 64))


def test_ten_stops_and_more(scenes):
  for scene in scenes:
    luminance = scene["radiance"].astype(np.float64).mean(axis=-1)
    assert np.isfinite(luminance).all() and luminance.min() >= 0
    assert luminance.max() / np.percentile(luminance, 2) > 2**10


def test_a_scene_depends_on_the_seed_and_its_number_alone(scenes):
  again = procedural.ProceduralScenes(100, seed=3, size=(64, 128))
  np.testing.assert_array_equal(again[4]["radiance"], scenes[4]["radiance"])
  np.testing.assert_array_equal(
    pickle.loads(pickle.dumps(scenes))[4]["radiance"], scenes[4]["radiance"]
  )
  other = procedural.ProceduralScenes(6, seed=4, size=(64, 128))
  seen = {source[i]["radiance"].tobytes() for source in (scenes, other) for i in range(6)}
  assert len(seen) == 12


def test_no_seam_where_the_columns_wrap():
  wrap, inside = [], []
  for scene in procedural.ProceduralScenes(6, seed=0, size=(64, 128)):
    log = np.log2(scene["radiance"].astype(np.float64) + 1e-3)
    wrap.append(np.abs(log[:, 0] - log[:, -1]).mean())
    inside.append(np.abs(np.diff(log, axis=1)).mean())
  assert np.mean(wrap) < 2 * np.mean(inside)


def test_photographs_of_them_lose_highlights(scenes):
  config, lost = default.get_config(), []
  config.camera.clipped_share = (0.02, 0.1)
  for index in range(6):
    out = photograph.photograph(
      scenes[index],
      np.random.default_rng(index),
      size=32,
      camera=photograph.Camera(**config.camera),
      headroom=config.domain.headroom,
    )
    lost.append((out["hdr"].max(axis=-1) > 1).mean())
  assert 0.01 < np.mean(lost) < 0.11
