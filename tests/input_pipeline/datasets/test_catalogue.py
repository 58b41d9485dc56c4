"""Each known dataset, from a tree in exactly its layout: read directly, prepared, read back."""

import numpy as np
import pytest

from configs import default
from expocm_jax import image_io
from expocm_jax.errors import UserError
from input_pipeline import batches, prepare
from input_pipeline.datasets import catalogue
from input_pipeline.datasets import prepared as datasets
from input_pipeline.datasets.pairs import PairFolder
from tests.support import dataset_trees as trees

PAIRED = [key for key in catalogue.DATASETS if key != "hdr_synth"]


def make_config(root, key, source="pairs"):
  config = default.get_config()
  config.data.update(source=source, root=str(root), dataset=key, workers=0, crop=8)
  config.train.batch_size = 2
  return config


def read(root, key, split):
  source, _ = batches.make_source(make_config(root, key), split)
  return [source[index] for index in range(len(source))]


def seed_of(name):
  return {"a": 0, "b": 1, "c": 2}.get(name) if name.isalpha() else int(name[-2:])


@pytest.mark.parametrize("below", ["", "archive"])
@pytest.mark.parametrize("key", PAIRED)
def test_a_set_is_read_as_it_comes_or_one_folder_deeper(tmp_path, key, below):
  trees.TREES[key](tmp_path / below)
  splits = catalogue.find(key).splits
  records = read(tmp_path, key, "all")
  assert len(records) == {"si_hdr": 4, "hdr_real": 5, "folder": 3, "aim2025": 3}.get(key, 2)
  for record in records:
    ldr, hdr = trees.scene(seed_of(record["name"]), record["ldr"].shape[:2])
    np.testing.assert_allclose(record["ldr"], ldr, atol=4 / 255)
    np.testing.assert_allclose(record["hdr"], hdr, rtol=0.06, atol=0.03)  # the scale is undone
  for split in splits:
    assert read(tmp_path, key, split), split


@pytest.mark.parametrize("key", PAIRED)
def test_a_builder_keeps_whole_images_to_the_bit(tmp_path, key):
  trees.TREES[key](tmp_path / "set")
  config = make_config(tmp_path / "set", key)
  written = prepare.prepare(config, tmp_path / "out", views=4)
  assert (tmp_path / "out" / key / "1.0.0").is_dir()
  for split, count in written.items():
    direct = {record["name"]: record for record in read(tmp_path / "set", key, split)}
    source = datasets.open_prepared(tmp_path / "out", split, dataset=key)
    assert count == len(source) == len(direct)
    for index in range(count):
      record = source[index]
      np.testing.assert_array_equal(record["ldr"], direct[record["name"]]["ldr"])
      np.testing.assert_array_equal(record["hdr"], direct[record["name"]]["hdr"])
      assert record["scene"] == direct[record["name"]]["scene"]
  prepared = make_config(tmp_path / "out", key, "prepared")
  assert batches.dataset_name(prepared) == (catalogue.find(key).title or "out")
  if "train" in written:
    assert next(batches.make_train_iterator(prepared))["hdr"].shape == (2, 8, 8, 3)


def test_several_sets_in_one_folder_are_told_apart(tmp_path):
  for key in ("hdr_eye", "si_hdr"):
    trees.TREES[key](tmp_path / key)
    prepare.prepare(make_config(tmp_path / key, key), tmp_path / "out")
  assert len(datasets.open_prepared(tmp_path / "out", "test", dataset="hdr_eye")) == 2
  with pytest.raises(UserError, match=r"2 prepared sets \(hdr_eye, si_hdr\)"):
    datasets.open_prepared(tmp_path / "out", "test")
  with pytest.raises(UserError, match="no prepared aim2025 but hdr_eye, si_hdr"):
    datasets.open_prepared(tmp_path / "out", "test", dataset="aim2025")
  config = make_config(tmp_path / "out/hdr_eye", "folder", "prepared")
  assert batches.dataset_name(config) == "HDR-EYE"


def test_published_sets_are_named_for_their_whole_images_alone(tmp_path):
  def published(key, source="pairs", size=None, root=tmp_path):
    return batches.published_set(make_config(root, key, source), size=size)

  assert published("hdr_real") == "HDR-REAL" and published("aim2025") == "AIM 2025"
  assert published("hdr_real", size=256) is None
  assert published("folder") is published("hdr_synth") is None
  assert published("folder", "hdr_folder") is published("folder", "procedural") is None
  trees.TREES["hdr_eye"](tmp_path / "set")
  config = make_config(tmp_path / "set", "hdr_eye")
  prepare.prepare(config, tmp_path / "whole")
  prepare.prepare(config, tmp_path / "crops", views=1, size=8)
  for key in ("hdr_eye", "folder"):
    assert published(key, "prepared", root=tmp_path / "whole") == "HDR-EYE"
  assert published("folder", "prepared", root=tmp_path / "crops") is None


def test_hdr_real_has_its_splits_in_two_layouts(tmp_path):
  trees.hdr_real(tmp_path)
  train, validation, test = (
    PairFolder(tmp_path, dataset="hdr_real", split=split)
    for split in ("train", "validation", "test")
  )
  assert (train.layout, train.pairing, test.layout, test.pairing) == (
    "folders", "order", "scenes", "name",
  )  # fmt: skip
  assert (len(train), len(validation), len(test)) == (2, 1, 2)
  assert [pair.hdr.name[-6:-4] for pair in train.pairs] == [p.ldr.name[-6:-4] for p in train.pairs]


def test_si_hdr_gives_each_clip_set_or_the_one_asked_for(tmp_path):
  trees.si_hdr(tmp_path, below="unpacked")
  every = PairFolder(tmp_path, dataset="si_hdr", split="test")
  names = [pair.name for pair in every.pairs]
  assert names[::2] == ["clip_95/unpacked/001", "clip_97/unpacked/001"]
  assert [pair.scene for pair in every.pairs] == ["001", "002"] * 2
  config = make_config(tmp_path, "si_hdr/clip_97")
  assert batches.dataset_name(config) == "SI-HDR clip_97"
  names = batches.make_source(config, "test")[0].names
  assert len(names) == 2 and all("clip_97" in name for name in names)
  assert prepare.prepare(config, tmp_path / "out") == {"test": 2}
  assert (tmp_path / "out/si_hdr_clip_97/1.0.0").is_dir()


def mistake(root, key, split="all"):
  with pytest.raises(UserError) as error:
    read(root, key, split)
  message = str(error.value)
  assert ";" in message and "\n" not in message
  return message


def test_a_split_that_a_set_does_not_have(tmp_path):
  trees.si_hdr(tmp_path)
  assert "SI-HDR has no split train; it has test" in mistake(tmp_path, "si_hdr", "train")
  trees.hdr_real_train(tmp_path / "real")
  message = mistake(tmp_path / "real", "hdr_real", "test")
  assert "no LDR/HDR pairs in the layout scenes; expected HDR-REAL's split test" in message


def test_names_and_variants(tmp_path):
  known = ", ".join(catalogue.DATASETS)
  assert f"dataset=hdrreal: unknown; choose one of {known}" in mistake(tmp_path, "hdrreal")
  assert "choose si_hdr/clip_95, si_hdr/clip_97" in mistake(tmp_path, "si_hdr/clip_99")
  assert "no such folder" in mistake(tmp_path / "nowhere", "hdr_eye")
  assert "no LDR/HDR pairs" in mistake(tmp_path, "aim2025")
  config = make_config(tmp_path, "hdr_real", "hdr_folder")
  with pytest.raises(UserError, match="add --config.data.source=pairs"):
    batches.make_source(config, "train")
  with pytest.raises(UserError, match="HDR-EYE has a layout of its own"):
    PairFolder(tmp_path, dataset="hdr_eye", layout="folders")


def drop(path):
  return lambda root: (root / path).unlink()


def write_nan(root):
  np.save(root / "HDR_gt/000000.npy", np.full((*trees.SIZE, 3), np.nan, np.float32))


def write_pickle(root):
  np.save(root / "HDR_gt/000000.npy", np.array([{}], object), allow_pickle=True)


def rename(old, new):
  return lambda root: (root / old).rename(root / new)


@pytest.mark.parametrize(
  "key, spoil, culprit, problem",
  [
    ("hdr_real", drop("LDR_in/ldr_00.jpg"), "LDR_in/ldr_01.jpg", "2 images in LDR_in, 3 in HDR_gt"),
    ("hdr_real", drop("test/00002/gt.hdr"), "test/00002", "no gt.hdr"),
    ("hdr_eye", drop("00001/input.jpg"), "00001", "no input.jpg"),
    ("aim2025", rename("LDR_in/000001.jpg", "LDR_in/x.jpg"), "LDR_in/x.jpg", "no partner"),
    ("aim2025", rename("HDR_gt", "old"), "", "LDR_in but not its other half"),
    ("aim2025", write_nan, "HDR_gt/000000.npy", "NaN or infinite"),
    ("aim2025", write_pickle, "HDR_gt/000000.npy", "damaged or incomplete NumPy"),
    ("ntire21", drop("0002_alignratio.npy"), "0002_alignratio.npy", "missing"),
    ("ntire21", drop("0002_medium.png"), "0002_medium.png", "missing"),
    ("si_hdr", rename("input/clip_95/001.png", "input/clip_95/9.png"), "input/clip", "no partner"),
    ("si_hdr/clip_97", rename("input/clip_97", "input/x"), "input", "has no clip_97"),
    ("folder", rename("hdr/b.exr", "hdr/z.exr"), "ldr/b.png", "no partner"),
  ],
)  # fmt: skip
def test_traps(tmp_path, key, spoil, culprit, problem):
  trees.TREES[key.split("/")[0]](tmp_path)
  spoil(tmp_path)
  message = mistake(tmp_path, key)
  assert message.startswith(str(tmp_path / culprit)) and problem in message


def test_a_pair_of_two_sizes(tmp_path):
  trees.scenes(tmp_path)
  image_io.write_hdr(tmp_path / "00001/gt.hdr", np.ones((5, 6, 3), np.float32))
  assert "LDR and HDR differ in size (16x12 and 6x5)" in mistake(tmp_path, "hdr_eye")


@pytest.mark.parametrize("stem, pairing", [("ldr", "stem"), ("hdr", "order")])
def test_hdr_real_is_paired_by_stem_else_by_order(tmp_path, stem, pairing):
  trees.hdr_real_train(tmp_path, stem=stem)
  assert PairFolder(tmp_path, dataset="hdr_real", split="all").pairing == pairing


def test_an_order_that_parts_namesakes_is_refused(tmp_path):
  trees.hdr_real_train(tmp_path)
  (tmp_path / "HDR_gt/hdr_02.hdr").rename(tmp_path / "HDR_gt/ldr_00.hdr")
  message = mistake(tmp_path, "hdr_real")  # hdr_00 comes before it and would take its photo
  assert "no partner" in message
  (tmp_path / "LDR_in/ldr_00.jpg").rename(tmp_path / "LDR_in/z.jpg")
  (tmp_path / "HDR_gt/ldr_00.hdr").rename(tmp_path / "HDR_gt/z.hdr")  # last in both
  assert PairFolder(tmp_path, dataset="hdr_real", split="all").pairing == "order"


def test_ground_truths_of_one_stem_are_refused(tmp_path):
  trees.aim2025(tmp_path)
  trees.write(tmp_path / "LDR_in/000000.jpg", tmp_path / "HDR_gt/000000.exr", 0)
  assert "another ground truth has the same stem" in mistake(tmp_path, "aim2025")
