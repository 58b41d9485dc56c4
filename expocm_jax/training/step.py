"""The train step, (state, batch) -> (state, metrics): compiled once a phase, state donated."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from expocm_jax.errors import UserError
from expocm_jax.method import diffusion, eact, losses, schedules
from expocm_jax.method.expocm import Method, check_choice, choose
from expocm_jax.ops.lpips import LEAST_SIDES, Lpips
from expocm_jax.training.optimizer import learning_rate, make_optimizer, moving_average, warm_decay
from expocm_jax.training.sharding import batch_sharding, replicated
from expocm_jax.training.state import TrainState

Batch = dict[str, jax.Array]  # ldr [B, H, W, 3] in [0, 1], hdr [B, H, W, 3] in [0, headroom]
Metrics = dict[str, jax.Array]  # scalars

NOISE_STREAM, TIME_STREAM = 0, 1  # of fold_in(fold_in(seed, stream), step)


def make_curriculum(config: ConfigDict) -> tuple[Callable, Callable]:
  """The time pairs and the target network's EMA rate as functions of the step.

  Returns:
    sample_times: (key, step, batch) -> (t, t'), each [batch].
    target_decay: step -> rate in [0, 1].

  Raises:
    UserError: unknown curriculum or target, fewer than two time steps, fewer at the end than at
      the start, or an anchored share outside [0, 1].
  """
  options = config.consistency
  total = config.train.phase1_steps + config.train.phase2_steps
  growing = dict(total=total, n_start=options.n_start, n_end=options.n_end)
  curricula = {
    "fixed": functools.partial(schedules.fixed_steps, n=options.n_start),
    "original": functools.partial(schedules.original_steps, **growing),
    "improved": functools.partial(schedules.improved_steps, **growing),
    "continuous": None,
  }
  steps = choose(curricula, options.curriculum, "consistency.curriculum")
  check_choice(("ema", "stop_gradient"), options.target, "consistency.target")
  if options.n_start < 2:
    raise UserError(f"config.consistency.n_start={options.n_start}: must be at least 2, as t = 0 "
                    "and t = 1 are the first two")  # fmt: skip
  if options.curriculum in ("original", "improved") and options.n_end < options.n_start:
    raise UserError(f"config.consistency.n_end={options.n_end}: must be at least "
                    f"config.consistency.n_start={options.n_start}")  # fmt: skip
  if not 0.0 <= options.anchor_fraction <= 1.0:
    raise UserError(f"config.consistency.anchor_fraction={options.anchor_fraction}: must be a "
                    "share of the batch, within 0 and 1")  # fmt: skip

  def sample_times(key: jax.Array, step: jax.Array, batch: int) -> tuple[jax.Array, jax.Array]:
    if steps is None:
      ratio = schedules.continuous_ratio(step, total=total, doublings=options.doublings)
      t, t_prev = schedules.continuous_pairs(key, batch, ratio)
    else:
      t, t_prev = schedules.discrete_pairs(key, batch, steps(step))
    return schedules.anchor_pairs(t, t_prev, fraction=options.anchor_fraction)

  def target_decay(step: jax.Array) -> jax.Array | float:
    if steps is None:
      return options.target_decay
    return schedules.target_rate(steps(step), n_start=options.n_start, initial=options.target_decay)

  return sample_times, target_decay


def make_loss(
  config: ConfigDict, method: Method, *, phase: int, perceptual: Lpips | None = None
) -> Callable:
  """The loss of phase 1 (CT, eq. 4) or 2 (ELC, eq. 12-15, with CT kept).

  `perceptual` takes `consistency.lpips_share` of the distance, after CTMSR (ICCV 2025). The
  diffusion baseline has one loss for both phases, without it.

  Where `anchor_fraction` is 1, all pairs are (1, 0): the target is x0, without the network.

  Returns:
    (params, target_params, batch, noise, t, t') -> (scalar, metrics).
  """
  if method.objective == "diffusion":
    return functools.partial(_diffusion_loss, method)
  distance = make_distance(config)
  options = dict(config.elc)
  elc_scale, ct_scale = options.pop("weight"), options.pop("ct_weight")
  weighting, epsilon = options.pop("weighting"), options.pop("epsilon")
  weightings = {
    "exposure": functools.partial(losses.elc_weights, **options),
    "uniform": lambda ldr, masks, target_lab: losses.uniform_weights(ldr),
  }
  weigh = choose(weightings, weighting, "elc.weighting")

  def loss(params, target_params, batch, noise, t, t_prev):
    ldr, x0 = batch["ldr"], method.encode_hdr(batch["hdr"])
    condition, masks = method.condition(ldr), method.masks(ldr)
    bridge = method.bridge(condition.y, masks)
    # Both points lie on one trajectory: the same x0, y and noise.
    x_t = eact.bridge_state(x0, bridge, noise, t)
    x_prev = eact.bridge_state(x0, bridge, noise, t_prev)
    if config.consistency.anchor_fraction == 1.0:
      target = x0  # f(x, 0, y) = x
    else:
      target = method.denoise(target_params, x_prev, t_prev, condition)
    estimate = method.denoise(params, x_t, t, condition)
    target = jax.lax.stop_gradient(target)
    ct = jnp.mean(distance(estimate, target, masks))
    if perceptual is not None:
      share = config.consistency.lpips_share
      ct = (1.0 - share) * ct + share * jnp.mean(_lpips(perceptual, estimate, target))
    if phase == 1:
      return ct, {"loss": ct, "ct": ct}
    x0_hat = method.one_step(params, condition, noise, masks)
    target_lab = losses.display_lab(x0)
    weights = weigh(ldr, masks, target_lab)
    elc = jnp.mean(
      losses.lab_loss(losses.display_lab(x0_hat), target_lab, weights, epsilon=epsilon)
    )
    total = elc_scale * elc + ct_scale * ct
    return total, {"loss": total, "ct": ct, "elc": elc}

  return loss


def make_distance(config: ConfigDict) -> Callable:
  """`consistency.distance`: (estimate, target, masks) -> one scalar an image; masks may be unused.

  Raises UserError for an unknown name.
  """
  plain = {name: lambda a, b, masks, f=f: f(a, b) for name, f in losses.DISTANCES.items()}
  regional = functools.partial(losses.regional_huber, shares=config.consistency.region_shares)
  distances = plain | {"regional_huber": regional}
  return choose(distances, config.consistency.distance, "consistency.distance")


def _lpips(perceptual: Lpips, estimate: jax.Array, target: jax.Array) -> jax.Array:
  """LPIPS of mu-law images read as display-referred, [B]; outside [0, 1] with a gradient."""
  return perceptual(estimate, jnp.clip(target, 0.0, 1.0))


def _diffusion_loss(
  method: Method, params, target_params, batch: Batch, noise, t, t_prev
) -> tuple[jax.Array, Metrics]:
  """L_simple of DDPM: the mean square error of eps at the level nearest to t."""
  del target_params, t_prev
  levels = jnp.maximum(jnp.round(t * float(diffusion.STEPS)), 1.0).astype(jnp.int32)
  z = 2.0 * method.encode_hdr(batch["hdr"]) - 1.0
  z_n = diffusion.diffuse(z, noise, diffusion.alpha_bar(levels)[:, None, None, None])
  estimate = method.predict_noise(params, z_n, levels, method.condition(batch["ldr"]))
  loss = jnp.mean((estimate - noise) ** 2)
  return loss, {"loss": loss}


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


def load_perceptual(config: ConfigDict, sharding: jax.sharding.Sharding) -> Lpips | None:
  """The network of `consistency.lpips` where it has a share; None where it has none.

  Raises UserError for an unknown network, a missing package, or crops that are too small for it.
  """
  if not _uses_perceptual(config):
    return None
  check_perceptual(config)
  return jax.device_put(Lpips.load(config.consistency.lpips), sharding)


def check_perceptual(config: ConfigDict) -> None:
  """Raises UserError where LPIPS has a share: for an unknown network or crops too small for it."""
  if not _uses_perceptual(config):
    return
  name = config.consistency.lpips
  check_choice(LEAST_SIDES, name, "consistency.lpips")
  if config.data.crop < LEAST_SIDES[name]:
    raise UserError(f"config.data.crop={config.data.crop}: LPIPS with {name} needs at least "
                    f"{LEAST_SIDES[name]} pixels; use larger crops, or lpips_share=0")  # fmt: skip


def _uses_perceptual(config: ConfigDict) -> bool:
  return bool(config.consistency.lpips_share) and config.objective != "diffusion"
