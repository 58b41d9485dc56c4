"""Training batches are deterministic and resumable; fixed views are the same in every run."""

import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest

from configs import default
from expocm_jax import image_io
from expocm_jax.errors import UserError
from input_pipeline import prepare
from input_pipeline.batches import (
  fingerprints,
  fixed_views,
  make_train_iterator,
  validation_records,
)
from input_pipeline.datasets import procedural
from input_pipeline.source import PROCEDURAL_SCENES, make_source

ROOT = pathlib.Path(__file__).parents[2]


def make_config(**data):
  config = default.get_config()
  config.data.update(source="procedural", crop=16, workers=0, **data)
  config.train.batch_size = 4
  return config


def take(iterator, count):
  return list(itertools.islice(iterator, count))


def assert_same(batches, expected):
  for batch, other in zip(batches, expected, strict=True):
    for key in ("ldr", "hdr"):
      np.testing.assert_array_equal(batch[key], other[key])


@pytest.fixture(scope="module")
def reference():
  """The first five batches, made in this process."""
  return take(make_train_iterator(make_config()), 5)


def test_batches_have_the_promised_shapes_and_ranges(reference):
  for batch in reference:
    assert set(batch) == {"ldr", "hdr"}
    assert all(
      value.shape == (4, 16, 16, 3) and value.dtype == np.float32 for value in batch.values()
    )
    assert 0.0 <= batch["ldr"].min() and batch["ldr"].max() <= 1.0
    assert 0.0 <= batch["hdr"].min() and 1.0 < batch["hdr"].max() <= 16.0
  assert not np.array_equal(reference[0]["hdr"], reference[1]["hdr"])


def test_the_seed_decides(reference):
  assert_same(take(make_train_iterator(make_config()), 2), reference[:2])
  other = next(make_train_iterator(make_config(shuffle_seed=1)))
  assert not np.array_equal(other["hdr"], reference[0]["hdr"])


def test_a_restored_iterator_continues_with_the_next_batch(reference):
  """Saved and restored with 0 and with 2 workers, each into a fresh iterator."""
  config, state = make_config(), None
  for workers, part in ((0, slice(0, 1)), (2, slice(1, 3)), (0, slice(3, 5))):
    config.data.workers = workers
    iterator = make_train_iterator(config)
    if state:
      iterator.set_state(state)
      assert iterator.get_state() == state
    assert_same(take(iterator, part.stop - part.start), reference[part])
    state = json.loads(json.dumps(iterator.get_state()))
    iterator.close()


def test_a_running_iterator_can_go_back(reference):
  iterator = make_train_iterator(make_config())
  take(iterator, 4)
  iterator.set_state(dict(iterator.get_state(), batches=1))
  assert_same(take(iterator, 2), reference[1:3])


def pairs_config(root):
  """Crops as wide as the 20x24 pairs, which the reflection extends by two rows on each side."""
  config = make_config(root=str(root), validation_share=0.0)
  config.data.update(source="pairs", crop=24)
  return config


def identify(config, batches):
  """The indices of the records that the batches were made of."""
  source, _ = make_source(config, "train")
  originals = np.array([source[i]["ldr"].mean() for i in range(len(source))])
  images = np.concatenate([batch["ldr"] for batch in batches])
  means = images[:, 2:22].mean(axis=(1, 2, 3))
  return np.abs(originals - means[:, None]).argmin(axis=1).tolist()


def test_every_record_comes_once_an_epoch_in_a_new_order(pair_folder):
  config = pairs_config(pair_folder)
  batches = take(make_train_iterator(config), 6)
  epochs = [identify(config, part) for part in (batches[:3], batches[3:])]
  assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(12))
  assert epochs[0] != epochs[1]


def test_processes_share_the_records(pair_folder):
  config = pairs_config(pair_folder)
  batches = [
    take(make_train_iterator(config, process_index=i, process_count=2), 3) for i in range(2)
  ]
  assert batches[0][0]["ldr"].shape == (2, 24, 24, 3)
  first, second = (identify(config, part) for part in batches)  # 3 x 2 records: their epoch
  assert sorted(first + second) == list(range(12))


def test_processes_draw_other_views(monkeypatch):
  monkeypatch.setattr(procedural, "ProceduralScenes", OneScene)
  config = make_config()
  views = [next(make_train_iterator(config, process_index=i, process_count=2)) for i in range(2)]
  for one, other in itertools.product(*(part["hdr"] for part in views)):
    assert not np.allclose(one, other)


class OneScene:
  """Many times the same panorama."""

  def __init__(self, count, *, seed):
    self._count = count
    self._radiance = np.random.default_rng(seed).lognormal(size=(32, 64, 3)).astype(np.float32)

  def __len__(self):
    return self._count

  def __getitem__(self, index):
    return {"radiance": self._radiance, "panorama": True, "name": str(index)}


def test_a_state_of_another_process_count_is_refused():
  config = make_config()
  state = make_train_iterator(config, process_count=2).get_state()
  with pytest.raises(UserError, match="process_count=2, this run has 1"):
    make_train_iterator(config).set_state(state)
  config.train.batch_size = 8
  with pytest.raises(UserError, match="batch_size=4, this run has 8"):
    make_train_iterator(config, process_count=2).set_state(state)


def test_a_bad_file_is_a_user_error_from_a_worker(pair_folder):
  for path in pair_folder.glob("*/input.png"):
    image_io.write_png(path, np.zeros((5, 5, 3), np.float32))
  config = make_config(root=str(pair_folder))
  config.data.source = "pairs"
  config.data.workers = 1
  iterator = make_train_iterator(config)
  with pytest.raises(UserError, match="differ in size"):
    next(iterator)
  iterator.close()


def test_validation_records_are_fixed_and_of_their_own_scenes(reference, monkeypatch):
  monkeypatch.setitem(PROCEDURAL_SCENES, "validation", 4)
  config = make_config()
  records = validation_records(config, 3)
  more = validation_records(make_config(shuffle_seed=5), 6)
  assert_same(records, more[:3])
  assert [record["ldr"].shape for record in records] == [(16, 16, 3)] * 3
  assert len(more) == 6 and len({record["name"] for record in more}) == 6
  assert more[4]["name"].startswith(more[0]["name"])
  assert not np.array_equal(more[4]["hdr"], more[0]["hdr"])
  seen = {image.tobytes() for batch in reference for image in batch["hdr"]}
  assert not seen & {record["hdr"].tobytes() for record in more}


def test_fewer_records_than_processes(pair_folder):
  config = make_config(root=str(pair_folder))
  config.data.source = "pairs"
  config.train.batch_size = 64
  with pytest.raises(UserError, match="10 training record"):
    make_train_iterator(config, process_count=16)


def test_workers_of_a_plain_script(tmp_path):
  """absl's flags unparsed, no jax of ours, Ctrl-C left to the parent, gone when it is killed."""
  script = tmp_path / "script.py"
  script.write_text("""
import multiprocessing, os, signal, sys
if __name__ == "__main__":
  import input_pipeline.datasets.pairs, input_pipeline.camera.photograph
  import input_pipeline.datasets.procedural, input_pipeline.datasets.hdr_folder
  assert "jax" not in sys.modules
  from configs import default
  from input_pipeline.batches import make_train_iterator
  config = default.get_config()
  config.data.update(source="procedural", crop=16, workers=1)
  config.train.batch_size = 2
  iterator = make_train_iterator(config)
  next(iterator)
  os.kill(multiprocessing.active_children()[0].pid, signal.SIGINT)
  for _ in range(6):  # more than lie in the buffers
    batch = next(iterator)
  import jax
  assert not jax._src.xla_bridge.backends_are_initialized()
  assert "tensorflow" not in sys.modules
  print(batch["ldr"].shape, flush=True)
  os.kill(os.getpid(), signal.SIGKILL)
""")
  # Returns once the worker, which holds the pipes too, has ended.
  done = subprocess.run(
    [sys.executable, script],
    capture_output=True,
    text=True,
    check=False,
    timeout=120,
    env=dict(os.environ, PYTHONPATH=str(ROOT)),
  )
  assert done.stdout.strip() == "(2, 16, 16, 3)", done.stderr
  assert done.returncode == -signal.SIGKILL


def test_a_batch_that_the_processes_cannot_share():
  config = make_config()
  config.train.batch_size = 5
  with pytest.raises(UserError, match="not a multiple of 2"):
    make_train_iterator(config, process_count=2)


def views_of(config, views=1, size=None):
  """The fixed views of the test split."""
  source, example = make_source(config, "test")
  for index in range(len(source)):
    yield from fixed_views(source, example, index, range(views), size=size)


def test_fixed_views_take_a_number_and_a_size(pair_folder):
  config = make_config()
  records = take(views_of(config, views=2, size=(12, 20)), 3)
  assert [record["hdr"].shape for record in records] == [(12, 20, 3)] * 3
  assert len({record["name"] for record in records}) == 3
  assert next(views_of(config))["ldr"].shape == (16, 16, 3)
  config.data.update(source="pairs", root=str(pair_folder))
  whole = list(views_of(config))
  assert len(whole) == 12 and whole[0]["ldr"].shape == (20, 24, 3)


def marks(config):
  return fingerprints(make_source(config, "test")[0])


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
  prepare.prepare(config, out, views=1, splits=["test"])
  source, _ = make_source(config, "test")
  names = {pair.name for pair in source.pairs}
  config.data.update(source="prepared", root=str(out))
  source, _ = make_source(config, "test")
  assert {source[i]["name"] for i in range(12)} == names
  first = marks(config)
  assert len(set(first)) == 12 and marks(config) == first
  (shard,) = out.rglob("*array_record*")
  os.utime(shard, ns=(0, 1))
  assert not set(first) & set(marks(config))
  scenes = [procedural.ProceduralScenes(3, seed=seed) for seed in (0, 0, 1)]
  made = [fingerprints(source) for source in scenes]
  assert made[0] == made[1] and not set(made[0]) & set(made[2]) and len(set(made[0])) == 3
