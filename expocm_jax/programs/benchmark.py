"""Speed: `--mode=benchmark`.

`samplers`: one step beside iterative samplers with the same network. The paper claims its one step
to be over 400 times faster than DDPM with 1000 steps and 20 times faster than DDIM with 50. All are
timed in one run, on whole images of one size, each as one compiled program whose samplers loop
inside; the network is that of the given weights, whose values do not matter for the time.

`pipeline`: records/s of a config's data beside those of its train step (phase I, all devices of
this machine): the pipeline must be the faster one.
"""

import functools
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable

import jax
import numpy as np
from ml_collections import ConfigDict

from expocm_jax import image_io
from expocm_jax.checkpoints import pretrained
from expocm_jax.errors import UserError
from expocm_jax.evaluation import methods
from expocm_jax.method.expocm import Method

SAMPLERS = ("ddim-50", "ddpm-1000")
PUBLISHED = {"one step": 0.33, "ddim-50": 7.85, "ddpm-1000": 174.10}  # s; the paper's, see below
LEAST_SECONDS, LEAST_RUNS = 2.0, 3  # of measurement, and once for what takes longer than a minute
LONG = 60.0
SECONDS = 10.0  # of each measurement of the pipeline
PAPER_NOTE = "published: 512 x 512 on an RTX 3090, a network of unknown size"


def main(*, what: str = "samplers", config: ConfigDict | None = None, **options) -> dict:
  """`time_samplers(**options)`, or with `what` "pipeline" `rate_pipeline(config)`.

  Raises UserError for options of the other one, the default config aside, for lack of a config, and
  as these two.
  """
  if what == "samplers":
    if config is not None:
      from configs import default  # not there in an installed package

      if config != default.get_config():
        raise UserError("--config: not used without --what=pipeline; leave it out, or add that")
    return time_samplers(**options)
  if options:
    raise UserError(f"--{min(options)}: not used by --what=pipeline; leave it out")
  if config is None:
    raise UserError("--what=pipeline: runs from a checkout of the project, as python main.py ...")
  return rate_pipeline(config)


def time_samplers(
  *,
  weights: str | os.PathLike = "tiny",
  size: int = 512,
  output: str | os.PathLike | None = None,
) -> dict[str, float]:
  """Prints seconds an image and the ratios to one step; writes speed.json to the folder `output`.

  Args:
    weights: a shipped name, a weights file, or a run's folder: the network to time.
    size: side of the images in pixels, divisible by the network's stride.
    output: a folder, or None.

  Returns:
    Seconds by name, "one step", "ddim-50", "ddpm-1000": the fastest of several runs.

  Raises:
    UserError: the weights, the size or the folder cannot be used.
  """
  if sampler := methods.parse_source(str(weights)).sampler:
    raise UserError(f"--weights={weights}: all samplers are timed; leave :{sampler} out")
  config, params = pretrained.load(weights)
  method = Method.from_config(config)
  if size % method.stride:
    raise UserError(f"--size={size}: not divisible by {method.stride}; choose another size")
  params = jax.device_put(params)
  ldr = jax.random.uniform(jax.random.key(0), (1, size, size, 3))
  programs = _programs(method)
  seconds = {}
  for name, program in programs.items():
    calls = 1 if name == "one step" else methods.parse_sampler(name)[0]
    expected = f", about {calls * seconds['one step']:.0f} s a run" if seconds else ""
    print(f"timing {name}{expected} ...", file=sys.stderr, flush=True)
    seconds[name] = fastest(program, params, ldr)
  device = jax.devices()[0].device_kind
  text = table(seconds, size=size, device=device, network=str(weights))
  print(text)
  if output is not None:
    with image_io.atomic_path(image_io.output_folder(output) / "speed.json") as path:
      data = {"seconds": seconds, "size": size, "device": device, "jax": jax.__version__}
      pathlib.Path(path).write_text(json.dumps(data, indent=1) + "\n")
  return seconds


def fastest(program: Callable, *arguments) -> float:
  """Seconds of the fastest of several runs, after one that compiles and warms up."""
  compiled = program.lower(*arguments).compile()
  times = []
  while sum(times) < LEAST_SECONDS or len(times) < LEAST_RUNS:
    start = time.perf_counter()
    jax.block_until_ready(compiled(*arguments))
    times.append(time.perf_counter() - start)
    if times[-1] > LONG:
      break
  return float(np.min(times))


def table(seconds: dict[str, float], *, size: int, device: str, network: str) -> str:
  """The times as Markdown, with the paper's beside them."""
  lines = [
    f"{size} x {size} pixels, network of {network}, {device}; {PAPER_NOTE}",
    "",
    "| | s an image | times one step | published, s | published, times one step |",
    "| --- | --- | --- | --- | --- |",
  ]
  for name, value in seconds.items():
    ratio, published = value / seconds["one step"], PUBLISHED[name] / PUBLISHED["one step"]
    lines.append(f"| {name} | {value:.3g} | {ratio:.1f} | {PUBLISHED[name]} | {published:.1f} |")
  return "\n".join(lines)


def _programs(method: Method) -> dict[str, Callable]:
  """(params, ldr [1, H, W, 3]) -> relative radiance, by name."""

  def one_step(params: dict, ldr: jax.Array) -> jax.Array:
    noise = jax.random.normal(jax.random.key(0), ldr.shape)
    return method.decode(method.one_step(params, method.condition(ldr), noise, method.masks(ldr)))

  def sampler(steps: int, eta: float) -> Callable:
    def draw(params: dict, ldr: jax.Array) -> jax.Array:
      return method.decode(method.sample(params, ldr, jax.random.key(0), steps=steps, eta=eta))

    return draw

  programs = {"one step": one_step}
  programs |= {name: sampler(*methods.parse_sampler(name)) for name in SAMPLERS}
  return {name: jax.jit(program) for name, program in programs.items()}


def rate_pipeline(config: ConfigDict) -> dict[str, float]:
  """Prints and returns records/s of "pipeline", "step", and "together", as in training.

  Raises UserError for data that cannot be used and a batch that does not fit the devices.
  """
  # Not there in an installed package, which times samplers.
  from expocm_jax.training import loop, processes, state
  from expocm_jax.training.step import make_train_step
  from input_pipeline import batches

  method, mesh = Method.from_config(config), processes.make_mesh()
  loop.check_config(config, method, mesh)
  train_step = make_train_step(config, method, mesh, phase=1)
  trained = state.create_state(config, method, mesh)

  def step(batch: dict):
    nonlocal trained
    trained, metrics = train_step(trained, processes.global_batch(batch, mesh))
    jax.block_until_ready(metrics)

  iterator = batches.make_train_iterator(config)
  measure = functools.partial(rate, records=config.train.batch_size)
  try:
    batch = next(iterator)
    rates = {"step": measure(lambda: step(batch), warmup=3)}
    # After the step, and emptied first: what was read ahead must not count.
    rates["pipeline"] = measure(lambda: next(iterator), warmup=3 + 3 * max(1, config.data.workers))
    rates["together"] = measure(lambda: step(next(iterator)), warmup=3)
  finally:
    iterator.close()
  print(
    f"{config.data.source}, crop {config.data.crop}, batch {config.train.batch_size}, "
    f"{config.data.workers} workers, {jax.devices()[0].device_kind} x {jax.device_count()}: "
    f"pipeline {rates['pipeline']:.1f} records/s, train step {rates['step']:.1f} (ratio "
    f"{rates['pipeline'] / rates['step']:.2f}), together {rates['together']:.1f}"
  )
  return rates


def rate(action: Callable[[], object], *, records: int, warmup: int) -> float:
  """Records/s of `action`, which handles `records` of them a call, after `warmup` calls."""
  for _ in range(warmup):
    action()
  count, start = 0, time.perf_counter()
  while time.perf_counter() - start < SECONDS:
    action()
    count += 1
  return count * records / (time.perf_counter() - start)
