"""The method with every option of a config bound: functions of arrays alone.

This is where names in a config become functions, once, before anything is compiled.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from expocm_jax.errors import UserError
from expocm_jax.method import consistency, diffusion, eact, masks
from expocm_jax.method.masks import ExposureLevels, ExposureMasks
from expocm_jax.network import conditioning, unet
from expocm_jax.network.conditioning import PhotoContext
from expocm_jax.ops import tone_curves
from expocm_jax.ops.color import srgb_to_linear

MASK_VARIANTS: dict[str, Callable[[ExposureMasks], ExposureMasks]] = {
  "three": lambda exposure: exposure,
  "two": masks.merge_pathological,
  "uniform": masks.ignore_exposure,
}
OBJECTIVES = ("consistency", "diffusion")
DTYPES = ("float32", "bfloat16")


def check_choice(options: Iterable[str], name: str, field: str) -> None:
  """Raises UserError when `name`, the value of the config's `field`, is not among the options."""
  if name not in options:
    raise UserError(f"config.{field}: unknown value {name!r}; use one of {', '.join(options)}")


def choose(options: dict, name: str, field: str):
  """Returns `options[name]`; raises UserError as `check_choice`."""
  check_choice(options, name, field)
  return options[name]


class Condition(NamedTuple):
  """What the network is told of the photo."""

  y: jax.Array  # [B, H, W, 3], the LDR, or a part of it, in the domain of x0
  context: PhotoContext  # of the whole photo


@dataclasses.dataclass(frozen=True)
class Method:
  """Domain, masks, trajectory, consistency function and network of one config.

  Attributes:
    objective: "consistency" or "diffusion".
    state: `eact.eact_state` with the config's options.
    variant: of MASK_VARIANTS, the masks of the trajectory.

  Images are [..., H, W, 3] unless a method says otherwise; the network needs a batch axis and
  sides divisible by `stride`.
  """

  objective: str
  network: unet.UNet
  mu: float
  headroom: float
  tau: float
  q_lo: float
  q_hi: float
  gate: float
  variant: str
  state: Callable[..., jax.Array]
  delta: float
  residual: bool
  keep: tuple[float, ...]

  @classmethod
  def from_config(cls, config: ConfigDict) -> "Method":
    """Binds the fields of a config.

    Raises:
      UserError: the name of an objective, a variant or a number format is unknown.
      TypeError: a field is missing, or is not one of this version's.
    """
    trajectory = dict(config.trajectory)
    variant, sigma_uniform = trajectory.pop("variant"), trajectory.pop("sigma_uniform")
    check_choice(OBJECTIVES, config.objective, "objective")
    check_choice(MASK_VARIANTS, variant, "trajectory.variant")
    check_choice(DTYPES, config.model.dtype, "model.dtype")
    if variant == "uniform":
      trajectory["sigma_good"] = sigma_uniform
    # A field that another version wrote would otherwise be told at the first call alone.
    inspect.signature(eact.eact_state).bind(*[None] * 5, **trajectory)
    return cls(
      objective=config.objective,
      network=unet.create(**config.model),
      **config.domain,
      **config.masks,
      variant=variant,
      state=functools.partial(eact.eact_state, **trajectory),
      delta=config.consistency.delta,
      residual=config.consistency.residual,
      keep=tuple(config.consistency.keep),
    )

  @property
  def stride(self) -> int:
    return unet.stride(self.network.multipliers, self.network.patch)

  @property
  def receptive_radius(self) -> int:
    """Pixels around an output pixel that its value can depend on, low-pass included."""
    network = self.network
    blur = eact.low_pass_radius(self.state.keywords["blur_sigma"])
    return unet.receptive_radius(network.multipliers, network.blocks, network.patch) + blur

  def init_params(self, key: jax.Array) -> dict:
    return unet.init_params(self.network, key)

  def encode_hdr(self, hdr: jax.Array) -> jax.Array:
    """Relative radiance in [0, headroom] -> x0 in [0, 1]."""
    return tone_curves.mu_law(jnp.clip(hdr / self.headroom, 0.0, 1.0), mu=self.mu)

  def encode_ldr(self, ldr: jax.Array) -> jax.Array:
    """Display-referred LDR in [0, 1] -> y in [0, 1]."""
    return tone_curves.mu_law(srgb_to_linear(ldr) / self.headroom, mu=self.mu)

  def condition(self, ldr: jax.Array) -> Condition:
    """The condition that whole photos give."""
    options = dict(bins=self.network.tone_bins, cells=self.network.tone_cells)
    return Condition(
      self.encode_ldr(ldr), conditioning.from_photos(ldr, self.encode_ldr, **options)
    )

  def decode(self, x0: jax.Array) -> jax.Array:
    """x0 -> relative radiance in [0, headroom]."""
    return tone_curves.inverse_mu_law(jnp.clip(x0, 0.0, 1.0), mu=self.mu) * self.headroom

  def masks(self, ldr: jax.Array) -> ExposureMasks:
    """The three exposure masks of whole images, eq. 5-7."""
    return masks.exposure_masks(ldr, tau=self.tau, q_lo=self.q_lo, q_hi=self.q_hi, gate=self.gate)

  def masks_from_levels(self, ldr: jax.Array, levels: ExposureLevels) -> ExposureMasks:
    """The three exposure masks of parts of images with known percentiles."""
    return masks.masks_from_levels(ldr, levels, tau=self.tau, gate=self.gate)

  def trajectory_state(
    self, x0: jax.Array, y: jax.Array, noise: jax.Array, t: jax.Array, exposure: ExposureMasks
  ) -> jax.Array:
    """x_t with the masks of the config's variant, eq. 3 and 8-11; arguments of `eact_state`."""
    return self.state(x0, y, noise, t, MASK_VARIANTS[self.variant](exposure))

  def denoise(self, params: dict, x_t: jax.Array, t: jax.Array, condition: Condition) -> jax.Array:
    """f(x_t, t, y), y being the condition's: the estimate of x0, [B, H, W, 3]; t is [B]."""
    output = self.network.apply({"params": params}, x_t, t, *condition)
    if self.keep:
      levels = self.encode_ldr(jnp.repeat(jnp.float32(self.keep)[:, None], 3, axis=1))[:, 0]
      output *= consistency.lost_weight(condition.y, levels)
    return consistency.consistency_function(
      output, x_t, t, condition.y, delta=self.delta, residual=self.residual
    )

  def one_step(
    self, params: dict, condition: Condition, noise: jax.Array, exposure: ExposureMasks
  ) -> jax.Array:
    """One network call from x_1: the estimate of x0, [B, H, W, 3]."""
    y = condition.y
    return self.sampling_step(params, y, condition, noise, jnp.ones(y.shape[0]), exposure)

  def sampling_step(
    self,
    params: dict,
    x0: jax.Array,
    condition: Condition,
    noise: jax.Array,
    t: jax.Array,
    exposure: ExposureMasks,
  ) -> jax.Array:
    """One step of multistep sampling (Song et al. 2023, algorithm 1): x0 noised to t, denoised.

    At t = 1 the estimate `x0` has no influence: that is the first step of every reconstruction.
    """
    x_t = self.trajectory_state(x0, condition.y, noise, t, exposure)
    return self.denoise(params, x_t, t, condition)

  def predict_noise(
    self, params: dict, z_n: jax.Array, n: jax.Array, condition: Condition
  ) -> jax.Array:
    """The diffusion baseline's eps in z_n, [B, H, W, 3] in [-1, 1], at levels n, [B] integers."""
    t = n.astype(jnp.float32) / float(diffusion.STEPS)
    return self.network.apply({"params": params}, z_n, t, *condition)

  def sample(
    self, params: dict, ldr: jax.Array, key: jax.Array, *, steps: int, eta: float
  ) -> jax.Array:
    """A draw of x0 by the diffusion baseline, [B, H, W, 3]; `diffusion.sample` has the options."""
    condition = self.condition(ldr)

    def predict(z_n: jax.Array, n: jax.Array) -> jax.Array:
      return self.predict_noise(params, z_n, jnp.full(ldr.shape[:1], n), condition)

    return (diffusion.sample(predict, ldr.shape, key, steps=steps, eta=eta) + 1.0) / 2.0
