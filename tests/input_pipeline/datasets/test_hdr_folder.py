"""Folders of HDR images: splits, projections, the cache, and what users get wrong."""

import pickle

import numpy as np
import pytest

from expocm_jax.errors import UserError
from expocm_jax.image_io import write_hdr
from input_pipeline.datasets import hdr_folder


def open_folder(root, *, split="train", projection="auto", validation_share=0.1, cache_gib=2.0):
  return hdr_folder.HdrFolder(
    root,
    split=split,
    projection=projection,
    validation_share=validation_share,
    cache_gib=cache_gib,
  )


def image(value=1.0, size=(16, 32)):
  return np.full((*size, 3), value, np.float32)


def fill(root, names, **options):
  for number, name in enumerate(names):
    (root / name).parent.mkdir(exist_ok=True, parents=True)
    write_hdr(root / name, image(number + 1.0, **options))
  return root


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
  names = [f"scene{i:02d}.exr" for i in range(18)] + ["more/night.hdr", "more/DAY.EXR"]
  root = fill(tmp_path_factory.mktemp("plain"), names)
  (root / "notes.txt").write_text("not an image")
  (root / "._scene00.exr").write_bytes(b"what other systems leave behind")
  return root


@pytest.fixture
def indexed(tmp_path):
  fill(tmp_path, [f"{name}.exr" for name in "abcdefgh"])
  (tmp_path / "index.csv").write_text(
    "file,split,split_group,projection\n"
    "a.exr,train,one,panorama\nb.exr,train,one,photo\nc.exr,train,two,\nd.exr,train,two,\n"
    "e.exr,train,three,\nf.exr,train,,\ng.exr,test,,\n"
  )
  return tmp_path


def names(root, **options):
  return open_folder(root, **options).names


def test_scenes_are_read_in_order(plain):
  folder = open_folder(plain, split="all")
  assert len(folder) == 20
  for name in ("scene03", "more/night"):
    scene = folder[folder.names.index(name)]
    assert scene["name"] == name and scene["panorama"] is True
    assert scene["radiance"].dtype == np.float16 and scene["radiance"].shape == (16, 32, 3)
    assert scene["levels"][0] is scene["radiance"]
  np.testing.assert_array_equal(
    folder[folder.names.index("scene03")]["radiance"],
    folder[folder.names.index("scene03")]["radiance"],
  )
  values = {float(folder[i]["radiance"].max()) for i in range(20)}
  assert values == set(range(1, 21))
  with pytest.raises(IndexError):
    folder[20]


def test_without_an_index_stems_are_split_by_hash(plain):
  train, validation = names(plain), names(plain, split="validation", validation_share=0.1)
  assert len(validation) == 2 and len(train) == 18
  assert set(train) | set(validation) == set(names(plain, split="all"))
  assert names(plain, split="test") == names(plain, split="all")
  assert set(validation) <= set(names(plain, split="validation", validation_share=0.5))
  assert names(plain, validation_share=0.0) == names(plain, split="all")


def test_the_index_decides(indexed):
  assert names(indexed, split="test") == ("g",)
  assert set(names(indexed, split="all")) == set("abcdefg")  # h is not in it
  for share in (0.2, 0.5):
    train = set(names(indexed, validation_share=share))
    validation = set(names(indexed, split="validation", validation_share=share))
    assert train | validation == set("abcdef") and not train & validation
    for group in ("ab", "cd"):
      assert set(group) <= train or set(group) <= validation


def test_validation_rows_of_an_index_are_used_as_they_are(tmp_path):
  fill(tmp_path, ["a.exr", "b.exr"])
  (tmp_path / "index.csv").write_text("file,split\na.exr,train\nb.exr,validation\n")
  assert (names(tmp_path), names(tmp_path, split="validation")) == (("a",), ("b",))


def test_projection(indexed, tmp_path_factory):
  def panoramas(**options):
    folder = open_folder(indexed, split="all", **options)
    return [folder[i]["panorama"] for i in range(3)]

  assert panoramas() == [True, False, True]  # as told, as told, by shape
  assert panoramas(projection="panorama") == [True] * 3
  assert panoramas(projection="photo") == [False] * 3
  square = fill(tmp_path_factory.mktemp("square"), ["a.hdr"], size=(20, 20))
  assert open_folder(square)[0]["panorama"] is False


def count_reads(monkeypatch):
  reads = []
  original = hdr_folder.read_hdr
  monkeypatch.setattr(hdr_folder, "read_hdr", lambda path: reads.append(path) or original(path))
  return reads


def test_the_cache_keeps_the_most_recent(indexed, monkeypatch):
  reads = count_reads(monkeypatch)
  one = 16 * 32 * 3 * 2
  folder = open_folder(indexed, split="all", cache_gib=2.5 * one / 2**30)
  for index in (0, 1, 0, 2, 0):
    folder[index]
  assert len(reads) == 3
  folder[1]  # went when 2 came
  assert len(reads) == 4
  none = open_folder(indexed, split="all", cache_gib=0.0)
  none[0], none[0]
  assert len(reads) == 6


def test_pickles_without_its_cache(plain):
  folder = open_folder(plain, split="all")
  before = len(pickle.dumps(folder))
  first = folder[0]["radiance"]
  assert len(pickle.dumps(folder)) == before
  copy = pickle.loads(pickle.dumps(folder))
  assert copy.names == folder.names
  np.testing.assert_array_equal(copy[0]["radiance"], first)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 1e3, 1e9])
def test_half_precision_holds_any_unit(scale):
  radiance = (np.geomspace(0.01, 100, 48).reshape(4, 4, 3) * scale).astype(np.float32)
  half = hdr_folder.to_half(radiance).astype(np.float64)
  ratio = half / radiance
  np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-3)
  assert np.log2(ratio.mean()) == pytest.approx(round(np.log2(ratio.mean())), abs=1e-3)


def test_half_precision_clips_suns_and_keeps_black():
  half = hdr_folder.to_half(np.array([[[1.0, 2.0, 3e8]]], np.float32))
  np.testing.assert_array_equal(half[0, 0], np.float16([1.0, 2.0, 65504.0]))
  assert not hdr_folder.to_half(image(0.0)).any()


def test_an_unknown_projection(plain):
  with pytest.raises(UserError, match="unknown projection 'cube'"):
    open_folder(plain, projection="cube")


@pytest.mark.parametrize(
  "text, problem",
  [
    ("file,split\nmissing.exr,train\n", "line 2 names 'missing.exr'"),
    ("file,split\na.exr,train\nb.exr,holdout\n", "unknown split 'holdout' in line 3"),
    ("file,projection\na.exr,photo\n", "no column split"),
    ("file,split,projection\na.exr,train,cube\n", "unknown projection 'cube' in line 2"),
    ("file,split\na.exr,train\n", "no image in split 'test' of 1"),
    ("file,split\n", "no .exr or .hdr files"),
    ("", "no column file, split"),
  ],
)
def test_wrong_index(tmp_path, text, problem):
  fill(tmp_path, ["a.exr", "b.exr"])
  (tmp_path / "index.csv").write_text(text)
  with pytest.raises(UserError, match=problem) as caught:
    open_folder(tmp_path, split="test")
  assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_wrong_folders(tmp_path):
  with pytest.raises(UserError, match="no .exr or .hdr files"):
    open_folder(tmp_path)
  with pytest.raises(UserError, match="not a folder"):
    open_folder(tmp_path / "nowhere")
  (tmp_path / "a.exr").write_bytes(b"not an image")
  with pytest.raises(UserError, match="a.exr"):
    open_folder(tmp_path)[0]
  with pytest.raises(UserError, match="no image in split 'validation' of 1 images"):
    open_folder(tmp_path, split="validation")
