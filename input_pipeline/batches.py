"""Training batches and fixed views: shard -> shuffle -> repeat -> map -> batch -> prefetch.

Batch k of a process is a function of (config, process, k) alone: the batching is done by index,
before the work is dealt out, so any number of workers gives the same batches, and the state of
the iterator is one number.
"""

import functools
import multiprocessing
import os
import signal
import threading
import weakref

import grain
import numpy as np
from absl import flags

from expocm_jax.errors import UserError
from input_pipeline.source import make_source

_READ_AHEAD = 2  # batches a process prepares before they are asked for


def make_train_iterator(config, *, process_index=0, process_count=1):
  """Endless iterator over this process's share of the training batches; see `TrainIterator`.

  Records are dealt out to the processes, then shuffled anew each epoch.

  Raises:
    UserError: a batch that the processes cannot share evenly, or too few records.
  """
  size = config.train.batch_size
  if size % process_count:
    raise UserError(
      f"config.train.batch_size={size}: not a multiple of {process_count} "
      "processes; choose a multiple"
    )
  source, example = make_source(config, "train")
  if len(source) < process_count:
    raise UserError(
      f"{config.data.root}: {len(source)} training record(s) for {process_count} "
      "processes; add images or use fewer processes"
    )
  # Grain draws by local index: without a seed per process all would draw the same views.
  seed = np.random.SeedSequence([config.data.shuffle_seed, process_index]).generate_state(1)[0]
  batches = (
    grain.MapDataset.source(source)
    .slice(slice(process_index, None, process_count))
    .seed(int(seed))
    .shuffle()
    .repeat()
    .random_map(functools.partial(example, size=config.data.crop))
    .batch(size // process_count, drop_remainder=True)
  )
  identity = {"process_count": process_count, "batch_size": size}
  return TrainIterator(batches, workers=config.data.workers, identity=identity)


class TrainIterator:
  """Batches dict(ldr, hdr), each [local batch, crop, crop, 3] float32, without end.

  `get_state()` is a small dict of integers, the same on every process: what `json.dumps`
  takes. It counts the batches handed out, never those read ahead, so a restored iterator
  continues with the very next batch. The number of workers may change in between.
  `close()` ends the workers early; they end with the iterator or the program otherwise.
  """

  def __init__(self, batches, *, workers, identity):
    self._batches = batches
    self._workers = workers
    self._identity = identity
    self._position = 0
    self._running = []  # Grain's iterator, once started
    weakref.finalize(self, _end, self._running)

  def __iter__(self):
    return self

  def __next__(self):
    if not self._running:
      self._running.append(self._start())
    batch = next(self._running[0])
    self._position += 1
    if self._workers:
      # Out of the workers' shared memory, which Grain unmaps as soon as its array is dropped.
      batch = {key: np.array(value) for key, value in batch.items()}
    return batch

  def get_state(self):
    return dict(self._identity, batches=self._position)

  def set_state(self, state):
    """Continues where `state` was taken.

    Raises:
      UserError: the state is of a run with another batch size or process count.
    """
    for key, here in self._identity.items():
      if state.get(key) != here:
        raise UserError(
          f"checkpoint: its data position is for {key}={state.get(key)}, this run "
          f"has {here}; resume with the same {key} or start a new workdir"
        )
    self.close()
    self._position = int(state["batches"])

  def close(self):
    """Ends the workers; the next batch would start them again."""
    _end(self._running)

  def _start(self):
    if self._workers and not flags.FLAGS.is_parsed():
      # Grain's worker processes read its absl flags; outside absl's app nobody has parsed them.
      flags.FLAGS.mark_as_parsed()
    ahead = grain.ReadOptions(num_threads=1, prefetch_buffer_size=_READ_AHEAD)
    batches = self._batches[self._position :].to_iter_dataset(ahead)
    options = grain.MultiprocessingOptions(
      num_workers=self._workers, per_worker_buffer_size=_READ_AHEAD
    )
    return iter(batches.mp_prefetch(options, worker_init_fn=_tie_to_parent))


def _tie_to_parent(*_):
  """A worker leaves Ctrl-C to the main process, and goes when that is gone, killed or not."""

  def follow():
    multiprocessing.parent_process().join()
    os._exit(1)

  signal.signal(signal.SIGINT, signal.SIG_IGN)
  threading.Thread(target=follow, daemon=True).start()


def _end(running):
  while running:
    running.pop().close()


def validation_records(config, count):
  """`count` fixed examples of the validation split, the same in every run and process.

  Returns:
    list of dict(ldr, hdr [crop, crop, 3] float32, name, scene); scenes come again with other views
    where there are fewer of them than `count`.
  """
  source, example = make_source(config, "validation")
  rounds = -(-count // len(source))
  scenes = [
    list(fixed_views(source, example, index, range(rounds), size=config.data.crop))
    for index in range(min(count, len(source)))
  ]
  return [views[k] for k in range(rounds) for views in scenes][:count]


def fingerprints(source) -> list[str]:
  """Of each record, what its fixed views depend on: its number, name and the state of its files."""
  return [f"{index} {source.fingerprint(index)}" for index in range(len(source))]


def fixed_views(source, example, index, views, *, size):
  """The examples number `views` of record `index`: functions of the two numbers alone.

  Yields:
    dict(ldr, hdr [H, W, 3] float32, name, scene), `name` with the view's number after the first.
  """
  record = source[index]
  name = record["name"]
  for view in views:
    made = example(record, np.random.default_rng([index, view]), size=size)
    made["name"] = f"{name}_{view}" if view else name
    yield made | {"scene": record.get("scene", name)}
