"""The train step, (state, batch) -> (state, metrics): compiled once a phase, state donated."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from expocm_jax.method.expocm import Method
from expocm_jax.ops.lpips import Lpips
from expocm_jax.training.objective import (
  Batch,
  Metrics,
  load_perceptual,
  make_curriculum,
  make_loss,
)
from expocm_jax.training.optimizer import learning_rate, make_optimizer, moving_average, warm_decay
from expocm_jax.training.processes import batch_sharding, replicated
from expocm_jax.training.state import TrainState

NOISE_STREAM, TIME_STREAM = 0, 1  # of fold_in(fold_in(seed, stream), step)


def accumulated_gradients(loss: Callable, parts: int) -> Callable:
  """value_and_grad of `loss` over `parts` microbatches, one after the other.

  Every `parts`-th record forms a microbatch, so each stays spread over all devices.
  """
  gradients = jax.value_and_grad(loss, has_aux=True)
  if parts == 1:
    return gradients

  def split(x: jax.Array) -> jax.Array:
    return jnp.moveaxis(x.reshape((x.shape[0] // parts, parts) + x.shape[1:]), 1, 0)

  def accumulate(params, target_params, *arrays):
    def add(total, microbatch):
      part = gradients(params, target_params, *microbatch)
      return jax.tree.map(lambda a, b: a + b / parts, total, part), None

    first = jax.tree.map(lambda x: split(x)[0], arrays)
    shapes = jax.eval_shape(gradients, params, target_params, *first)
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    return jax.lax.scan(add, zeros, jax.tree.map(split, arrays))[0]

  return accumulate


def make_train_step(
  config: ConfigDict, method: Method, mesh: Mesh, *, phase: int
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
  """The compiled train step of a phase; the state given to it must not be used again.

  Noise and times are functions of (config.seed, state.step) for the global batch, so results
  do not depend on the number of devices or processes beyond float rounding.
  """
  sample_times, target_decay = make_curriculum(config)
  optimizer, rate = make_optimizer(config), learning_rate(config)
  with_target = config.consistency.target == "ema"

  def train_step(
    perceptual: Lpips | None, state: TrainState, batch: Batch
  ) -> tuple[TrainState, Metrics]:
    loss = make_loss(config, method, phase=phase, perceptual=perceptual)
    gradients = accumulated_gradients(loss, config.optim.accumulate)

    def key(stream: int) -> jax.Array:
      return jax.random.fold_in(jax.random.fold_in(jax.random.key(config.seed), stream), state.step)

    noise = jax.random.normal(key(NOISE_STREAM), batch["ldr"].shape)
    t, t_prev = sample_times(key(TIME_STREAM), state.step, noise.shape[0])
    target_params = state.target_params if with_target else state.params
    (_, metrics), grads = gradients(state.params, target_params, batch, noise, t, t_prev)
    with jax.numpy_dtype_promotion("standard"):  # optax mixes integers and floats
      updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
      learning_rate_now = rate(state.step)
    params = optax.apply_updates(state.params, updates)
    ema_decay = warm_decay(config.optim.ema_decay, state.step)
    new_state = TrainState(
      step=state.step + 1,
      params=params,
      target_params=(
        moving_average(state.target_params, params, target_decay(state.step)) if with_target else {}
      ),
      ema_params=moving_average(state.ema_params, params, ema_decay),
      opt_state=opt_state,
    )
    metrics |= {"grad_norm": optax.tree.norm(grads), "learning_rate": learning_rate_now}
    return new_state, metrics

  everywhere = replicated(mesh)
  compiled = jax.jit(
    train_step,
    donate_argnums=1,
    in_shardings=(everywhere, everywhere, batch_sharding(mesh)),
    out_shardings=everywhere,
  )
  # An argument, lest its weights (58 MB for VGG) become constants of the program.
  return functools.partial(compiled, load_perceptual(config, everywhere))
