"""Training as a program: phase I (consistency), then phase II (ELC), in one run that resumes.

The loop is evaluate -> save -> next(batch) -> step -> log. With noise and times as functions of
the step and the data position in the checkpoint, a resumed run equals an uninterrupted one bit
for bit on the same machine with the same kernels (on GPUs XLA may choose others another time).
"""

import functools
import math
import os
import pathlib
import sys
import time
from collections.abc import Callable

import jax
import numpy as np
import tqdm
from jax.sharding import Mesh
from ml_collections import ConfigDict

from expocm_jax.checkpoints import pretrained
from expocm_jax.checkpoints.runs import Checkpoints
from expocm_jax.errors import UserError
from expocm_jax.image_io import write_png
from expocm_jax.method.expocm import Method
from expocm_jax.ops.regions import REGIONS
from expocm_jax.training.config_check import check_numbers
from expocm_jax.training.metric_writer import MetricWriter
from expocm_jax.training.objective import check_perceptual, make_curriculum, make_loss
from expocm_jax.training.processes import (
  StopSignals,
  check_workdir,
  global_batch,
  make_mesh,
  replicated,
)
from expocm_jax.training.state import TrainState, create_state
from expocm_jax.training.step import make_train_step
from expocm_jax.training.validation import Validator
from input_pipeline import batches

STEPS_AHEAD = 2  # steps given to the device before the oldest must be done: bounds memory
LINE = "{desc}{percentage:3.0f}% {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"


def main(config: ConfigDict, workdir: str | os.PathLike) -> None:
  """Trains, from the newest checkpoint in `workdir` on where there is one.

  `workdir` gets `checkpoints/`, `metrics.jsonl`, `tensorboard/` and `sheets/`. Each process of a
  multi-process run calls this with the same arguments, and all see the same `workdir`. SIGTERM
  and Ctrl-C (of several processes SIGTERM alone) finish the step, save, and exit with status
  128 + signal (143, 130), so that a scheduler knows the run is unfinished.

  Raises:
    UserError: the config does not fit the devices or the checkpoint, data cannot be read,
      `workdir` cannot be written, or the training has diverged.
    SystemExit: stopped by a signal.
  """
  method, mesh = Method.from_config(config), make_mesh()
  check_config(config, method, mesh)
  if config.train.init_from and not pathlib.Path(workdir, "checkpoints").is_dir():
    initial_params(config, method)  # before any folder is made
  check_workdir(os.fspath(workdir))
  workdir = pathlib.Path(workdir).absolute()
  with StopSignals() as signals:
    run = Run(config, workdir, method, mesh)
    try:
      run.train(signals)
    finally:
      run.close()
  if run.step < run.total:
    _say(f"stopped after step {run.step} of {run.total} and saved; the same command resumes it")
    raise SystemExit(128 + signals.received)
  _say(
    f"trained {run.total} steps; newest checkpoint: {workdir / 'checkpoints' / str(run.step)}\n"
    f"  best by validation: {workdir / 'checkpoints' / str(run.best_step)}\n"
    f"  reconstruct: python main.py --mode=reconstruct --weights={workdir} --input=PHOTO "
    "--output=DIR\n"
    f"  export: python main.py --mode=export --workdir={workdir} --output=NAME.safetensors"
  )


def check_config(config: ConfigDict, method: Method, mesh: Mesh) -> None:
  """Raises UserError for numbers and names that cannot work, alone or together."""
  check_numbers(config)
  make_curriculum(config)
  make_loss(config, method, phase=1)
  check_perceptual(config)
  batch, parts = config.train.batch_size, config.optim.accumulate
  if batch % (mesh.size * parts):
    raise UserError(
      f"config.train.batch_size={batch}: must be a multiple of {mesh.size} device(s) times "
      f"config.optim.accumulate={parts}; change one of them"
    )
  share = config.consistency.anchor_fraction
  if 0 < share * batch < 1:
    raise UserError(
      f"config.consistency.anchor_fraction={share}: less than one record of a batch of {batch}; "
      f"use 1/{batch} or more, or 0"
    )
  if config.data.crop % method.stride:
    raise UserError(
      f"config.data.crop={config.data.crop}: not a multiple of {method.stride}, the network's "
      f"stride; use {math.ceil(config.data.crop / method.stride) * method.stride}"
    )


class Run:
  """One training run: its state, and where it is written.

  Attributes:
    step: steps done.
    total: steps of both phases.
    best_step: of the checkpoint with the highest PSNR-mu over all pixels; known at the end.
  """

  def __init__(self, config: ConfigDict, workdir: pathlib.Path, method: Method, mesh: Mesh):
    self._config, self._workdir, self._method, self._mesh = config, workdir, method, mesh
    self.total = config.train.phase1_steps + config.train.phase2_steps
    self.best_step = None
    self._first = jax.process_index() == 0
    self._batches = batches.make_train_iterator(
      config, process_index=jax.process_index(), process_count=jax.process_count()
    )
    records = batches.validation_records(config, config.train.validation_records)
    self._validator = Validator(config, method, mesh, records)
    self._checkpoints = Checkpoints(workdir / "checkpoints", keep=config.train.keep_checkpoints)
    self._resumed_at = self._checkpoints.newest_step()
    self.step, self._state = self._start()
    self._writer = MetricWriter(workdir, resumed_at=self._resumed_at) if self._first else None
    self._running: list[tuple[int, dict]] = []  # (step, metrics on the device)
    self._done: list[dict] = []  # metrics of the steps since the last log
    self._clock = time.perf_counter()

  def _start(self) -> tuple[int, TrainState]:
    """A fresh state, or the newest checkpoint's with its data position."""
    create = functools.partial(create_state, self._config, self._method, self._mesh)
    step = self._resumed_at
    everywhere = replicated(self._mesh)
    if step is None:
      fresh = create()
      if not self._config.train.init_from:
        return 0, fresh
      return 0, start_from(fresh, initial_params(self._config, self._method), everywhere)
    like = jax.tree.map(
      lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=everywhere),
      jax.eval_shape(create),
    )
    state, position = self._checkpoints.restore(step, like, self._config)
    self._batches.set_state(position)
    _say(f"resumes after step {step} of {self.total}")
    return step, state

  def train(self, signals: StopSignals) -> None:
    """Runs to the end or to a signal; either way the last step is saved."""
    with _progress_bar(self.step, self.total, shown=self._first) as bar:
      for phase, end in ((1, self._config.train.phase1_steps), (2, self.total)):
        bar.set_description(f"phase {phase}", refresh=False)
        train_step = make_train_step(self._config, self._method, self._mesh, phase=phase)
        while self.step < end:
          if not self._one_step(train_step, signals):
            return
          bar.update()
          if self.step % self._config.train.log_every == 0:
            bar.set_postfix_str(f"loss {self._log(phase):.4g}", refresh=False)
    self._evaluate_and_save(last=True)
    self.best_step = self._checkpoints.best_step()

  def close(self) -> None:
    """Ends the data workers and waits until everything is written."""
    self._batches.close()
    if self._writer:
      self._writer.close()
    self._checkpoints.close()

  def _one_step(self, train_step: Callable, signals: StopSignals) -> bool:
    """evaluate -> save -> next(batch) -> step; False when a signal ends the run before it."""
    stop = signals.stop_at(self.step)
    self._evaluate_and_save(last=stop)
    if stop:
      return False
    try:
      batch = next(self._batches)
    except Exception:
      if not signals.received:
        raise
      # Ctrl-C reaches the data workers too, and theirs was the first end.
      self._evaluate_and_save(last=True)
      return False
    self._state, metrics = train_step(self._state, global_batch(batch, self._mesh))
    self.step += 1
    self._running.append((self.step, metrics))
    jax.block_until_ready(self._running[-1 - STEPS_AHEAD :][0][1])
    return True

  def _evaluate_and_save(self, *, last: bool) -> None:
    """Validates and saves where it is due; `last`: the run ends here."""
    train, score = self._config.train, None
    if self.step == self._resumed_at:
      return  # both done before the checkpoint was complete
    validates = self.step % train.validate_every == 0 or self.step == self.total
    saves = last or (self.step > 0 and self.step % train.save_every == 0)
    if validates or saves:
      self._fetch()  # a diverged network has no score, and is never saved
    began = time.perf_counter()
    if validates:
      score = self._validate()
    if saves:
      self._checkpoints.save(
        self.step, self._state, self._batches.get_state(), self._config, score=score
      )
    self._clock += time.perf_counter() - began  # the rate is that of the steps

  def _validate(self) -> float:
    """Validates `ema_params`; returns PSNR-mu over all pixels."""
    result = self._validator(self._state.ema_params)
    scores = result.scores
    if self._first:
      self._writer.write(self.step, {f"validation/{k}": v for k, v in scores.items()})
      folder = self._workdir / "sheets"
      folder.mkdir(exist_ok=True)
      write_png(folder / f"step_{self.step:08d}.png", result.sheet)
    _say(
      f"step {self.step}: PSNR-mu "
      + ", ".join(f"{r} {scores[f'output/{r}']:.2f} dB (input {scores[f'input/{r}']:.2f})"
                  for r in REGIONS if not math.isnan(scores[f"input/{r}"]))
    )  # fmt: skip
    return scores["output/all"]

  def _fetch(self) -> None:
    """Waits for all steps given to the device, and raises UserError at the first NaN."""
    for step, metrics in self._running:
      values = {name: float(np.asarray(value)) for name, value in metrics.items()}
      wrong = [name for name, value in values.items() if not math.isfinite(value)]
      if wrong:
        raise UserError(
          f"{self._workdir}: {wrong[0]} is {values[wrong[0]]} at step {step}; start again with a "
          "lower config.optim.peak_lr or with config.optim.grad_clip=1"
        )
      self._done.append(values)
    self._running.clear()

  def _log(self, phase: int) -> float:
    """Writes the means since the last log; returns that of the loss."""
    self._fetch()
    now = time.perf_counter()
    means = {name: sum(m[name] for m in self._done) / len(self._done) for name in self._done[0]}
    if self._first:
      rate = len(self._done) / (now - self._clock)
      extra = {"phase": phase, "train/steps_per_second": rate}
      self._writer.write(self.step, {f"train/{k}": v for k, v in means.items()} | extra)
    self._done.clear()
    self._clock = now
    return means["loss"]


def initial_params(config: ConfigDict, method: Method) -> dict:
  """The parameters of `train.init_from`, a shipped name, a file or a run, as numpy arrays.

  Raises UserError when they cannot be read or belong to another network.
  """
  weights, model = config.train.init_from, config.model
  saved, params = pretrained.load(weights)
  wanted = jax.eval_shape(method.init_params, jax.random.key(0))
  shapes = [jax.tree.map(lambda leaf: leaf.shape, tree) for tree in (params, wanted)]
  if shapes[0] != shapes[1]:
    other = [
      f"config.model.{name}={x}"
      for name, x in saved.model.items()
      if name != "dtype" and x != model[name]
    ]
    raise UserError(
      f"config.train.init_from={weights}: of another network; set {', '.join(other)} or give other "
      "weights"
    )
  return params


def start_from(state: TrainState, params: dict, sharding: jax.sharding.Sharding) -> TrainState:
  """A fresh state with all its sets of parameters replaced by `params`."""

  def copy():  # each its own: the train step donates them
    return jax.device_put(jax.tree.map(np.copy, params), sharding)

  target = copy() if state.target_params else {}
  return state._replace(params=copy(), target_params=target, ema_params=copy())


def _progress_bar(step: int, total: int, *, shown: bool) -> tqdm.tqdm:
  """A bar in a terminal, a line now and then elsewhere."""
  live = sys.stderr.isatty()
  return tqdm.tqdm(
    initial=step, total=total, disable=not shown, dynamic_ncols=True,
    mininterval=0.5 if live else 30.0, bar_format=None if live else LINE + "\n",
  )  # fmt: skip


def _say(text: str) -> None:
  """Prints a message above the progress bar, from the first process alone."""
  if jax.process_index() == 0:
    tqdm.tqdm.write(text, file=sys.stderr)
