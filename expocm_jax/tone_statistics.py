"""Tone statistics: what a whole photo says about its camera's response.

A camera has one response for all pixels of a photo. A window of an image knows only a few of them;
these statistics, taken of the whole photo once, know all, and they are 6 x bins numbers whatever
its size: how often each level occurs in each channel, and how colourful pixels of each level are.
Both depend on the response and little on the scale of what is seen.

y is [..., H, W, 3] in [0, 1], the photo in the network's domain; levels are even steps over [0, 1].
"""

import jax
import jax.numpy as jnp

FLOOR = 1e-3  # share of the pixels below which the colour of a level fades to grey


def hat_weights(x: jax.Array, knots: int) -> jax.Array:
  """Weights of linear interpolation between even knots over [0, 1].

  Args:
    x: [...] in [0, 1].
    knots: how many, at least 2; the first lies at 0, the last at 1. 0 gives no weights.

  Returns:
    [..., knots] in [0, 1]; at most two are above zero, and all sum to one.
  """
  places = jnp.arange(knots, dtype=x.dtype).reshape((1,) * x.ndim + (knots,))
  return jnp.clip(1.0 - jnp.abs(x[..., None] * (knots - 1) - places), 0.0, 1.0)


def tone_statistics(y: jax.Array, bins: int) -> jax.Array:
  """Statistics of whole photos: [..., H, W, 3] -> [..., 6, bins]; rows as of `assemble`."""
  pixels = (-4, -3)
  largest = jnp.max(y, axis=-1, keepdims=True)
  near = hat_weights(largest, bins)  # [..., H, W, 1, bins]
  return assemble(
    jnp.mean(hat_weights(y, bins), axis=pixels),
    jnp.mean(near, axis=pixels),
    jnp.mean(near * (largest - y)[..., None], axis=pixels),
  )


def assemble(shares: jax.Array, shares_of_largest: jax.Array, differences: jax.Array) -> jax.Array:
  """The statistics from means over all pixels.

  Args:
    shares: [..., 3, bins], of `hat_weights` of y.
    shares_of_largest: [..., 1, bins], of the weights of each pixel's largest channel.
    differences: [..., 3, bins], of these weights times (largest channel - y).

  Returns:
    [..., 6, bins]: the shares, then for each channel how far it lies below the largest one, on
    average over the pixels whose largest channel is near the level.
  """
  return jnp.concatenate([shares, differences / (shares_of_largest + FLOOR)], axis=-2)
