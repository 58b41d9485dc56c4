"""Denoising diffusion (DDPM, Ho et al. 2020; DDIM, Song et al. 2021): the iterative baseline.

Contract
  z is an image in [-1, 1], [..., H, W, C]; z_n = sqrt(a_n) z + sqrt(1 - a_n) eps, n = 0 ... STEPS,
  with a_n the product of 1 - beta up to step n, a_0 = 1; beta grows linearly, as in the paper.
Samplers take the network as a function and run in one compiled loop.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

STEPS = 1000
BETA_FIRST, BETA_LAST = 1e-4, 0.02

_ALPHA_BARS = np.concatenate(
  [[1.0], np.cumprod(1.0 - np.linspace(BETA_FIRST, BETA_LAST, STEPS))]
).astype(np.float32)

# (z_n, n) -> the estimate of eps; n is a scalar integer.
PredictNoise = Callable[[jax.Array, jax.Array], jax.Array]


def alpha_bar(n: jax.Array) -> jax.Array:
  """a_n for integers 0 ... STEPS."""
  return jnp.asarray(_ALPHA_BARS)[n]


def diffuse(z: jax.Array, noise: jax.Array, a: jax.Array) -> jax.Array:
  """z_n of the clean image z, with a = a_n broadcast against it."""
  return jnp.sqrt(a) * z + jnp.sqrt(1.0 - a) * noise


def clean_estimate(z_n: jax.Array, noise: jax.Array, a: jax.Array) -> jax.Array:
  """The clean image that `noise` in z_n implies, clipped to [-1, 1]."""
  return jnp.clip((z_n - jnp.sqrt(1.0 - a) * noise) / jnp.sqrt(a), -1.0, 1.0)


def step(
  z_n: jax.Array,
  estimate: jax.Array,
  noise: jax.Array,
  a: jax.Array,
  a_next: jax.Array,
  *,
  eta: float,
) -> jax.Array:
  """From noise level a to the lower a_next, eq. 12 and 16 of the DDIM paper.

  Args:
    z_n: the noisy image.
    estimate: of the clean image.
    noise: fresh, standard normal; without influence for eta = 0 or a_next = 1.
    a: a_n.
    a_next: a_m, m < n.
    eta: 0, deterministic (DDIM); 1, ancestral: between neighbouring steps that of DDPM with the
      posterior's variance.
  """
  # Not from the network: the estimate is clipped, and this is the eps that agrees with it.
  eps = (z_n - jnp.sqrt(a) * estimate) / jnp.sqrt(1.0 - a)
  variance = eta**2 * (1.0 - a_next) / (1.0 - a) * (1.0 - a / a_next)
  direction = jnp.sqrt(jnp.maximum(1.0 - a_next - variance, 0.0)) * eps
  return jnp.sqrt(a_next) * estimate + direction + jnp.sqrt(variance) * noise


def sampling_levels(count: int) -> np.ndarray:
  """The levels n that a sampler of `count` calls visits, from STEPS to 0, evenly: [count + 1]."""
  if not 1 <= count <= STEPS:
    raise ValueError(f"a sampler makes 1 to {STEPS} steps, not {count}")
  return np.round(np.linspace(STEPS, 0, count + 1)).astype(np.int32)


def sample(
  predict_noise: PredictNoise, shape: tuple[int, ...], key: jax.Array, *, steps: int, eta: float
) -> jax.Array:
  """Draws images: DDPM-1000 is steps = 1000, eta = 1; DDIM-50 is steps = 50, eta = 0.

  Returns:
    `shape`, in [-1, 1]: the last estimate of the clean image.
  """
  levels = jnp.asarray(sampling_levels(steps))

  def body(i: jax.Array, z_n: jax.Array) -> jax.Array:
    a, a_next = alpha_bar(levels[i]), alpha_bar(levels[i + 1])
    estimate = clean_estimate(z_n, predict_noise(z_n, levels[i]), a)
    noise = jax.random.normal(jax.random.fold_in(key, i), shape)
    return step(z_n, estimate, noise, a, a_next, eta=eta)

  start = jax.random.normal(jax.random.fold_in(key, steps), shape)
  return jax.lax.fori_loop(0, steps, body, start)
