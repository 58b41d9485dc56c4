"""Records/s that the pipeline makes, against the records/s that the train step takes.

    python -m benchmarks.pipeline [--root=FOLDER_OF_HDR_IMAGES] [--workers=N] [--seconds=10]

Prints one line per source: the pipeline alone, the train step of `configs/tiny.py` alone (phase I,
all devices of this machine), their ratio, and the two together as in training.
"""

import argparse
import time

import jax

from configs import tiny
from expocm_jax.errors import UserError
from expocm_jax.method.expocm import Method
from expocm_jax.training.processes import global_batch, make_mesh
from expocm_jax.training.state import create_state
from expocm_jax.training.step import make_train_step
from input_pipeline import batches as pipeline


def rate(action, *, seconds, records, warmup=3):
  """Records/s of `action()`, which handles `records` of them, measured over `seconds`."""
  for _ in range(warmup):
    action()
  count, start = 0, time.perf_counter()
  while time.perf_counter() - start < seconds:
    action()
    count += 1
  return count * records / (time.perf_counter() - start)


def make_step(config, mesh):
  """A function batch -> None that takes one train step and waits for it."""
  method = Method.from_config(config)
  train_step = make_train_step(config, method, mesh, phase=1)
  state = create_state(config, method, mesh)

  def step(batch):
    nonlocal state
    state, metrics = train_step(state, global_batch(batch, mesh))
    jax.block_until_ready(metrics)

  return step


def measure(config, step, *, seconds):
  """(pipeline alone, train step alone, both together) in records/s."""
  batches = pipeline.make_train_iterator(config)
  options = {"seconds": seconds, "records": config.train.batch_size}
  try:
    batch = next(batches)
    # The pipeline last of the two: what it has read ahead in its pauses must not count for it.
    step_rate = rate(lambda: step(batch), **options)
    warmup = 3 + 3 * max(1, config.data.workers)  # empties the buffers
    pipeline_rate = rate(lambda: next(batches), warmup=warmup, **options)
    both_rate = rate(lambda: step(next(batches)), **options)
  finally:
    batches.close()
  return pipeline_rate, step_rate, both_rate


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--root", help="a folder of HDR images, measured besides the procedural set")
  parser.add_argument("--workers", type=int, help="processes; by default those of the config")
  parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
  arguments = parser.parse_args()
  config = tiny.get_config()
  if arguments.workers is not None:
    config.data.workers = arguments.workers
  print(
    f"crop {config.data.crop}, batch {config.train.batch_size}, "
    f"{config.data.workers} workers, {jax.devices()[0].device_kind} x {jax.device_count()}"
  )
  print(f"{'records/s':12}{'pipeline':>10}{'step':>10}{'ratio':>8}{'together':>10}")
  step = make_step(config, make_mesh())
  for source, root in {"procedural": "", "hdr_folder": arguments.root}.items():
    if root is None:
      continue
    config.data.update(source=source, root=root)
    made, taken, both = measure(config, step, seconds=arguments.seconds)
    print(f"{source:12}{made:10.1f}{taken:10.1f}{made / taken:8.2f}{both:10.1f}")


if __name__ == "__main__":
  try:
    main()
  except UserError as error:
    raise SystemExit(str(error)) from None
