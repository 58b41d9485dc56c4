"""What training minimises: time pairs, the CT loss of eq. 4, and ELC (eq. 12-15) in phase II."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from expocm_jax.errors import UserError
from expocm_jax.method import diffusion, distances, elc, schedules
from expocm_jax.method.expocm import Method, check_choice, choose
from expocm_jax.ops.lpips import LEAST_SIDES, Lpips

Batch = dict[str, jax.Array]  # ldr [B, H, W, 3] in [0, 1], hdr [B, H, W, 3] in [0, headroom]
Metrics = dict[str, jax.Array]  # scalars


def make_curriculum(config: ConfigDict) -> tuple[Callable, Callable]:
  """The time pairs and the target network's EMA rate as functions of the step.

  Returns:
    sample_times: (key, step, batch) -> (t, t'), each [batch].
    target_decay: step -> rate in [0, 1].

  Raises:
    UserError: unknown curriculum or target.
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
  ct_weight, weighting = options.pop("ct_weight"), options.pop("weighting")
  plain = {name: options[name] for name in ("lambda_l", "lambda_c", "epsilon")}
  chromatic_losses = {
    "exposure": functools.partial(elc.elc_loss, **options),
    "uniform": lambda x, x0, ldr, masks: elc.lab_loss(x, x0, **plain),
  }
  chromatic_loss = choose(chromatic_losses, weighting, "elc.weighting")

  def loss(params, target_params, batch, noise, t, t_prev):
    ldr, x0 = batch["ldr"], method.encode_hdr(batch["hdr"])
    condition, masks = method.condition(ldr), method.masks(ldr)
    # Both points lie on one trajectory: the same x0, y and noise.
    x_t = method.trajectory_state(x0, condition.y, noise, t, masks)
    x_prev = method.trajectory_state(x0, condition.y, noise, t_prev, masks)
    if config.consistency.anchor_fraction == 1.0:
      target = x0  # f(x, 0, y) = x
    else:
      target = method.denoise(target_params, x_prev, t_prev, condition)
    estimate = method.denoise(params, x_t, t, condition)
    target = jax.lax.stop_gradient(target)
    ct = jnp.mean(distance(estimate, target, masks))
    if perceptual is not None:
      share = config.consistency.lpips_share
      # mu-law images read as display-referred; the estimate keeps its gradient outside [0, 1].
      ct = (1.0 - share) * ct + share * jnp.mean(perceptual(estimate, jnp.clip(target, 0.0, 1.0)))
    if phase == 1:
      return ct, {"loss": ct, "ct": ct}
    x0_hat = method.one_step(params, condition, noise, masks)
    l_elc = jnp.mean(chromatic_loss(x0_hat, x0, ldr, masks))
    total = l_elc + ct_weight * ct
    return total, {"loss": total, "ct": ct, "elc": l_elc}

  return loss


def make_distance(config: ConfigDict) -> Callable:
  """`consistency.distance`: (estimate, target, masks) -> one scalar an image; masks may be unused.

  Raises UserError for an unknown name.
  """
  plain = {name: lambda a, b, masks, f=f: f(a, b) for name, f in distances.DISTANCES.items()}
  regional = functools.partial(distances.regional_huber, shares=config.consistency.region_shares)
  return choose(
    plain | {"regional_huber": regional}, config.consistency.distance, "consistency.distance"
  )


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
