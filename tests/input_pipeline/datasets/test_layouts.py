"""Each known set, from a tree in exactly its layout: pairing, splits, and what is wrong."""

import numpy as np
import pytest

from expocm_jax import image_io
from expocm_jax.errors import UserError
from input_pipeline.datasets import catalogue
from input_pipeline.datasets.pairs import PairFolder
from tests.support import dataset_trees as trees

PAIRED = [key for key in catalogue.DATASETS if key != "hdr_synth"]


def open_pairs(root, *, split, dataset="folder", validation_share=0.1):
  return PairFolder(root, dataset=dataset, split=split, validation_share=validation_share)


def read(root, key, split):
  source = open_pairs(root, dataset=key, split=split)
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
    np.testing.assert_allclose(record["hdr"] * record["gain"], hdr, rtol=0.06, atol=0.03)
  for split in splits:
    assert read(tmp_path, key, split), split


def test_hdr_real_has_its_splits_in_two_layouts(tmp_path):
  trees.hdr_real(tmp_path)
  train, validation, test = (
    open_pairs(tmp_path, dataset="hdr_real", split=split)
    for split in ("train", "validation", "test")
  )
  assert (train.layout, train.pairing, test.layout, test.pairing) == (
    "folders", "order", "scenes", "name",
  )  # fmt: skip
  assert (len(train), len(validation), len(test)) == (2, 1, 2)
  assert [pair.hdr.name[-6:-4] for pair in train.pairs] == [p.ldr.name[-6:-4] for p in train.pairs]


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
  assert open_pairs(tmp_path, dataset="hdr_real", split="all").pairing == pairing


def test_an_order_that_parts_namesakes_is_refused(tmp_path):
  trees.hdr_real_train(tmp_path)
  (tmp_path / "HDR_gt/hdr_02.hdr").rename(tmp_path / "HDR_gt/ldr_00.hdr")
  message = mistake(tmp_path, "hdr_real")  # hdr_00 comes before it and would take its photo
  assert "no partner" in message
  (tmp_path / "LDR_in/ldr_00.jpg").rename(tmp_path / "LDR_in/z.jpg")
  (tmp_path / "HDR_gt/ldr_00.hdr").rename(tmp_path / "HDR_gt/z.hdr")  # last in both
  assert open_pairs(tmp_path, dataset="hdr_real", split="all").pairing == "order"


def test_ground_truths_of_one_stem_are_refused(tmp_path):
  trees.aim2025(tmp_path)
  trees.write(tmp_path / "LDR_in/000000.jpg", tmp_path / "HDR_gt/000000.exr", 0)
  assert "another ground truth has the same stem" in mistake(tmp_path, "aim2025")
