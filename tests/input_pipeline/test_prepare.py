"""Sources written as prepared sets, read back as they were, and trained on."""

import numpy as np
import pytest

from configs import default
from expocm_jax.errors import UserError
from input_pipeline import prepare
from input_pipeline.batches import fixed_views, make_train_iterator, validation_records
from input_pipeline.datasets import catalogue
from input_pipeline.datasets.prepared import PreparedPairs
from input_pipeline.source import PROCEDURAL_SCENES, dataset_name, make_source
from tests.support import dataset_trees as trees


def make_config(root, key, source="pairs"):
  config = default.get_config()
  config.data.update(source=source, root=str(root), dataset=key, workers=0, crop=8)
  config.train.batch_size = 2
  return config


def test_prepare_writes_fixed_views_that_train(tmp_path, monkeypatch):
  for split, count in (("train", 3), ("validation", 1)):
    monkeypatch.setitem(PROCEDURAL_SCENES, split, count)
  config = make_config("", "folder", "procedural")
  assert prepare.prepare(config, tmp_path, views=2) == {"train": 6, "validation": 2}
  (source, example), views = make_source(config, "validation"), {}
  for record in fixed_views(source, example, 0, range(2), size=None):
    views[record["name"]] = record
  config.data.update(source="prepared", root=str(tmp_path))
  for record in validation_records(config, 2):
    hdr, view = record["hdr"], views[record["name"]]["hdr"]
    flipped = view if np.allclose(hdr, view, rtol=1e-3) else view[:, ::-1]
    np.testing.assert_allclose(hdr, flipped, rtol=2**-11, atol=1e-7)
  batch = next(make_train_iterator(config))
  assert batch["hdr"].shape == (2, 8, 8, 3) and batch["hdr"].max() <= 16.0


@pytest.mark.parametrize("key", [key for key in trees.TREES if key != "hdr_synth"])
def test_a_builder_keeps_whole_images_to_the_bit(tmp_path, key):
  trees.TREES[key](tmp_path / "set")
  config = make_config(tmp_path / "set", key)
  written = prepare.prepare(config, tmp_path / "out", views=4)
  assert (tmp_path / "out" / key / "1.0.0").is_dir()
  for split, count in written.items():
    records, _ = make_source(config, split)
    direct = {record["name"]: record for record in map(records.__getitem__, range(len(records)))}
    source = PreparedPairs(tmp_path / "out", split, dataset=key)
    assert count == len(source) == len(direct)
    for index in range(count):
      record = source[index]
      np.testing.assert_array_equal(record["ldr"], direct[record["name"]]["ldr"])
      np.testing.assert_array_equal(record["hdr"], direct[record["name"]]["hdr"])
      assert record["gain"] == direct[record["name"]]["gain"]
      assert record["scene"] == direct[record["name"]]["scene"]
  prepared = make_config(tmp_path / "out", key, "prepared")
  assert dataset_name(prepared) == (catalogue.find(key).title or "out")
  if "train" in written:
    assert next(make_train_iterator(prepared))["hdr"].shape == (2, 8, 8, 3)


def test_several_sets_in_one_folder_are_told_apart(tmp_path):
  for key in ("hdr_eye", "si_hdr"):
    trees.TREES[key](tmp_path / key)
    prepare.prepare(make_config(tmp_path / key, key), tmp_path / "out", views=1)
  assert len(PreparedPairs(tmp_path / "out", "test", dataset="hdr_eye")) == 2
  with pytest.raises(UserError, match=r"2 prepared sets \(hdr_eye, si_hdr\)"):
    PreparedPairs(tmp_path / "out", "test", dataset="folder")
  with pytest.raises(UserError, match="no prepared aim2025 but hdr_eye, si_hdr"):
    PreparedPairs(tmp_path / "out", "test", dataset="aim2025")
  config = make_config(tmp_path / "out/hdr_eye", "folder", "prepared")
  assert dataset_name(config) == "HDR-EYE"
