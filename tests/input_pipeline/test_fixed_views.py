"""Fixed views for evaluation: size, headroom, and the fingerprints of their records."""

import itertools
import math
import os

import numpy as np
import pytest

from configs import default
from expocm_jax import image_io
from expocm_jax.errors import UserError
from input_pipeline import batches, prepare
from input_pipeline.camera import response
from input_pipeline.datasets import procedural


def make_config(**data):
  config = default.get_config()
  config.data.update(source="procedural", crop=16, workers=0, **data)
  return config


def take(iterator, count):
  return list(itertools.islice(iterator, count))


def views_of(config, views=1, size=None, **options):
  """The fixed views of the test split."""
  source, example = batches.make_source(config, "test", **options)
  for index in range(len(source)):
    yield from batches.fixed_views(source, example, index, range(views), size=size)


def test_fixed_views_take_a_number_and_a_size(pair_folder):
  config = make_config()
  records = take(views_of(config, views=2, size=(12, 20)), 3)
  assert [record["hdr"].shape for record in records] == [(12, 20, 3)] * 3
  assert len({record["name"] for record in records}) == 3
  assert next(views_of(config))["ldr"].shape == (16, 16, 3)
  config.data.update(source="pairs", root=str(pair_folder))
  whole = list(views_of(config))
  assert len(whole) == 12 and whole[0]["ldr"].shape == (20, 24, 3)


def write_sunny(root):
  """A photo, and a ground truth of 0.01 to 0.5 with a sun of 500."""
  hdr = np.random.default_rng(0).uniform(0.01, 0.5, (24, 24, 3)).astype(np.float32)
  hdr[10:14, 10:14] = 500.0
  for half in ("ldr", "hdr"):
    (root / half).mkdir()
  encoded = response.response_curve(np.minimum(hdr, 1))
  image_io.write_png(root / "ldr/a.png", encoded.astype(np.float32))
  image_io.write_hdr(root / "hdr/a.exr", hdr, exr_dtype="float")


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
  config = make_config(root=str(tmp_path), validation_share=0.0)
  if source == "prepared":
    config.data.source = "pairs"
    prepare.prepare(config, tmp_path / "out", views=1, size=24, splits=["test"])
    config.data.root = str(tmp_path / "out")
  elif "hdr" in source + dataset:
    config.data.root = str(tmp_path / "hdr")
  elif source == "procedural":
    config.data.root = ""
  config.data.update(source=source, dataset=dataset)
  pairs = [take(views_of(config, size=24, views=3, headroom=h), 24) for h in (None, math.inf)]
  for cut, whole in zip(*pairs, strict=True):
    np.testing.assert_array_equal(cut["ldr"], whole["ldr"])
    np.testing.assert_array_equal(cut["hdr"], np.minimum(whole["hdr"], 16.0))
  brightest = [max(record["hdr"].max() for record in records) for records in pairs]
  assert brightest[0] == 16.0 and brightest[1] > 40
  if source in ("pairs", "prepared") and dataset == "folder":
    np.testing.assert_allclose(brightest[1], 500.0, rtol=0.02)


def marks(config):
  return batches.fingerprints(batches.make_source(config, "test")[0])


@pytest.mark.parametrize("source", ["pairs", "hdr_folder"])
def test_fingerprints_change_with_the_files(pair_folder, source):
  config = make_config(root=str(pair_folder))
  config.data.source = source
  first = marks(config)
  assert len(set(first)) == len(first) == 12 and marks(config) == first

  def changed():
    return [i for i, (old, new) in enumerate(zip(first, marks(config), strict=True)) if old != new]

  truth = pair_folder / "00003/gt.hdr"
  data, time = truth.read_bytes(), truth.stat().st_mtime_ns
  truth.write_bytes(data[:-1] + b"x")  # edited, as large as it was
  os.utime(truth, ns=(time, time + 10**9))
  assert changed() == [3]
  truth.write_bytes(data + b"more")  # replaced by one of the same date
  os.utime(truth, ns=(time, time))
  assert changed() == [3]
  truth.write_bytes(data)
  os.utime(truth, ns=(time, time))
  assert not changed()
  (pair_folder / "00011").rename(pair_folder / "00012")
  assert changed() == [11]
  if source == "pairs":
    photo = pair_folder / "00005/input.png"
    os.utime(photo, ns=(0, 1))
    assert changed() == [5, 11]


def test_fingerprints_of_prepared_and_made_up_records(pair_folder, tmp_path):
  config = make_config(root=str(pair_folder))
  config.data.source = "pairs"
  out = tmp_path / "out"
  prepare.prepare(config, out, splits=["test"])
  source, _ = batches.make_source(config, "test")
  names = set(source.names)
  config.data.update(source="prepared", root=str(out))
  source, _ = batches.make_source(config, "test")
  assert source.names == tuple(source[i]["name"] for i in range(12)) and set(source.names) == names
  first = marks(config)
  assert len(set(first)) == 12 and marks(config) == first
  (shard,) = out.rglob("*array_record*")
  os.utime(shard, ns=(0, 1))
  assert not set(first) & set(marks(config))
  scenes = [procedural.ProceduralScenes(3, seed=seed) for seed in (0, 0, 1)]
  made = [batches.fingerprints(source) for source in scenes]
  assert made[0] == made[1] and not set(made[0]) & set(made[2]) and len(set(made[0])) == 3


def test_a_folder_that_the_source_would_ignore(tmp_path):
  config = make_config(root=str(tmp_path))
  config.data.source = "procedural"
  with pytest.raises(UserError, match="makes its own scenes; add --config.data.source"):
    batches.make_source(config, "test")
