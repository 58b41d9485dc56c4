"""Exposure-aware consistency trajectories (EACT), eq. 8-11, and the uniform baseline, eq. 3.

The paper mixes three trajectories pixel by pixel,

    over:  x_t = (1 - alpha) x0                              + sigma_o eps
    under: x_t = (1 - alpha) x0 + alpha lambda_u F_low(y)    + sigma_u eps
    good:  x_t = (1 - alpha) x0 + alpha y                    + sigma_g eps

with weights that sum to one and one shared eps. That is a single bridge at every pixel,

    x_t = (1 - alpha) x0 + alpha A + t S eps,

between the clean HDR and an anchor A, with the noise level S. alpha(t) = t and
sigma_r(t) = sigma_r t, so x_0 is the clean HDR and x_1 needs only the LDR.
"""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np

from expocm_jax.method.masks import ExposureMasks


def alpha(t: jax.Array) -> jax.Array:
  """Share of the anchor at time t in [0, 1]: alpha(t) = t."""
  return t


def eact_state(
  x0: jax.Array,
  y: jax.Array,
  noise: jax.Array,
  t: jax.Array,
  masks: ExposureMasks,
  *,
  sigma_over: float,
  sigma_under: float,
  sigma_good: float,
  lambda_under: float,
  blur_sigma: float,
) -> jax.Array:
  """x_t of the exposure-aware trajectory, eq. 8-11, [..., H, W, 3].

  Args:
    x0: [..., H, W, 3], the clean HDR in [0, 1]; at t = 1 it has no influence.
    y: [..., H, W, 3] in [0, 1], the LDR in the domain of x0.
    noise: [..., H, W, 3], eps ~ N(0, I), the same for every t of one trajectory.
    t: [...] in [0, 1], one value an image.
    masks: weights [..., H, W, 1] that sum to one.
    sigma_over, sigma_under, sigma_good: noise of each region at t = 1, in units of x0.
    lambda_under: weight of the low-passed LDR in under-exposed regions.
    blur_sigma: of `low_pass`, pixels.

  Raises:
    AssertionError: images of different shapes.
  """
  chex.assert_equal_shape([x0, y, noise])
  chex.assert_axis_dimension(y, -1, 3)
  smooth = low_pass(y, sigma=blur_sigma)
  anchor = masks.under * (lambda_under * smooth) + masks.good * y  # A
  sigma = masks.over * sigma_over + masks.under * sigma_under + masks.good * sigma_good  # S
  t = t[..., None, None, None]
  return (1.0 - alpha(t)) * x0 + alpha(t) * anchor + t * sigma * noise


def low_pass_radius(sigma: float) -> int:
  """Pixels around a pixel that `low_pass` reads: two sigma."""
  return math.ceil(2 * sigma)


def low_pass(image: jax.Array, *, sigma: float) -> jax.Array:
  """F_low: separable Gaussian of `sigma` pixels cut at two sigma, reflected at the border.

  Args:
    image: [..., H, W, C]. The reflection does not repeat the edge pixel; images smaller than
      the radius are reflected again and again.
    sigma: pixels, above 0.
  """
  radius = low_pass_radius(sigma)
  offsets = np.arange(-radius, radius + 1)
  kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
  kernel = (kernel / kernel.sum()).astype(np.float32)
  for axis in (-3, -2):
    size = image.shape[axis]
    padding = [(0, 0)] * image.ndim
    padding[axis] = (radius, radius)
    padded = jnp.pad(image, padding, mode="reflect" if size > 1 else "edge")
    image = sum(
      float(weight) * jax.lax.slice_in_dim(padded, i, i + size, axis=image.ndim + axis)
      for i, weight in enumerate(kernel)
    )
  return image
