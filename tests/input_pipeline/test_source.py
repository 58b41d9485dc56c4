"""From a config to records and examples: headroom, splits, names, and mistakes."""

import itertools
import math

import numpy as np
import pytest

from configs import default
from expocm_jax import image_io
from expocm_jax.errors import UserError
from input_pipeline import prepare
from input_pipeline.batches import fixed_views
from input_pipeline.camera import response
from input_pipeline.source import available_splits, make_source, published_set
from tests.support import dataset_trees as trees


def make_config(root="", key="folder", source="procedural", **data):
  config = default.get_config()
  config.data.update(source=source, root=str(root), dataset=key, workers=0, crop=16, **data)
  return config


def write_sunny(root):
  """A photo, and a ground truth of 0.01 to 0.5 with a sun of 500."""
  hdr = np.random.default_rng(0).uniform(0.01, 0.5, (24, 24, 3)).astype(np.float32)
  hdr[10:14, 10:14] = 500.0
  for half in ("ldr", "hdr"):
    (root / half).mkdir()
  encoded = response.Response()(np.minimum(hdr, 1))
  image_io.write_png(root / "ldr/a.png", encoded.astype(np.float32))
  image_io.write_hdr(root / "hdr/a.exr", hdr, exr_dtype="float")


def views_of(config, headroom):
  """Three views of each of the first scenes of the test split, 24 in all at most."""
  source, example = make_source(config, "test", headroom=headroom)
  scenes = (fixed_views(source, example, i, range(3), size=24) for i in range(len(source)))
  return list(itertools.islice(itertools.chain.from_iterable(scenes), 24))


@pytest.mark.parametrize(
  "source, dataset",
  [
    ("pairs", "folder"),
    ("prepared", "folder"),
    ("hdr_folder", "folder"),
    ("pairs", "hdr_synth"),
    ("procedural", "folder"),
  ],
)
def test_the_headroom_cuts_the_ground_truth_for_training_alone(tmp_path, source, dataset):
  write_sunny(tmp_path)
  config = make_config(tmp_path, validation_share=0.0)
  if source == "prepared":
    config.data.source = "pairs"
    prepare.prepare(config, tmp_path / "out", views=1, size=24, splits=["test"])
    config.data.root = str(tmp_path / "out")
  elif "hdr" in source + dataset:
    config.data.root = str(tmp_path / "hdr")
  elif source == "procedural":
    config.data.root = ""
  config.data.update(source=source, dataset=dataset)
  pairs = [views_of(config, headroom) for headroom in (None, math.inf)]
  for cut, whole in zip(*pairs, strict=True):
    np.testing.assert_array_equal(cut["ldr"], whole["ldr"])
    np.testing.assert_array_equal(cut["hdr"], np.minimum(whole["hdr"], 16.0))
  brightest = [max(record["hdr"].max() for record in records) for records in pairs]
  assert brightest[0] == 16.0 and brightest[1] > 40
  if source in ("pairs", "prepared") and dataset == "folder":
    np.testing.assert_allclose(brightest[1], 500.0, rtol=0.02)


def test_a_folder_that_the_source_would_ignore(tmp_path):
  config = make_config(tmp_path)
  with pytest.raises(UserError, match="makes its own scenes; add --config.data.source"):
    make_source(config, "test")


def test_published_sets_are_named_for_their_whole_images_alone(tmp_path):
  def published(key, source="pairs", size=None, root=tmp_path):
    return published_set(make_config(root, key, source), size=size)

  assert published("hdr_real") == "HDR-REAL" and published("aim2025") == "AIM 2025"
  assert published("hdr_real", size=256) is None
  assert published("folder") is published("hdr_synth") is None
  assert published("folder", "hdr_folder") is published("folder", "procedural") is None
  trees.TREES["hdr_eye"](tmp_path / "set")
  config = make_config(tmp_path / "set", "hdr_eye", "pairs")
  prepare.prepare(config, tmp_path / "whole", views=1)
  prepare.prepare(config, tmp_path / "crops", views=1, size=8)
  for key in ("hdr_eye", "folder"):
    assert published(key, "prepared", root=tmp_path / "whole") == "HDR-EYE"
  assert published("folder", "prepared", root=tmp_path / "crops") is None


@pytest.mark.parametrize(
  "change, message",
  [
    ({"source": "web"}, "data.source=web: unknown"),
    ({"source": "pairs", "root": ""}, "config.data.root: empty"),
  ],
)
def test_mistakes_in_the_config(change, message):
  config = make_config()
  config.data.update(change)
  with pytest.raises(UserError, match=message):
    make_source(config, "train")


def test_an_unknown_split():
  with pytest.raises(UserError, match="unknown split 'dev'"):
    make_source(make_config(), "dev")


@pytest.mark.parametrize("below", ["", "archive"])
def test_the_splits_that_a_set_has(tmp_path, below):
  def splits(key):
    return available_splits(make_config(tmp_path / key, key, "pairs"))

  for key, make in trees.TREES.items():
    make(tmp_path / key / below)
  assert splits("folder") == splits("aim2025") == splits("ntire21") == ("train", "validation")
  assert splits("hdr_real") == splits("hdr_synth") == ("train", "validation", "test")
  assert splits("si_hdr") == splits("hdr_eye") == ("test",)
  assert available_splits(make_config()) == ("train", "validation")
