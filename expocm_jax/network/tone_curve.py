"""Tone statistics: what a whole photo says about its camera's response; and the curve.

A camera has one response for all pixels of a photo. A window of an image knows only a few of them;
these statistics, taken of the whole photo once, know all, and they are 6 x bins numbers whatever
its size: how often each level occurs in each channel, and how colourful pixels of each level are.
Both depend on the response and little on the scale of what is seen.

y is the photo in the network's domain, [0, 1]; levels are even steps over [0, 1]. In training a
crop of a pair counts as a whole photo; the camera model's photos are whole.
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
  """Statistics of whole photos: [B, H, W, 3] -> [B, 6, bins]; rows as of `assemble`."""

  def add(sums, row):  # one row at a time, or the weights of all pixels would lie in memory
    largest = jnp.max(row, axis=-1, keepdims=True)
    near = hat_weights(largest, bins)  # [B, W, 1, bins]
    terms = (hat_weights(row, bins), near, near * (largest - row)[..., None])
    return jax.tree.map(lambda total, term: total + jnp.sum(term, axis=1), sums, terms), None

  start = tuple(jnp.zeros((y.shape[0], channels, bins), y.dtype) for channels in (3, 1, 3))
  sums, _ = jax.lax.scan(add, start, jnp.moveaxis(y, 1, 0))
  return assemble(*(total / (y.shape[1] * y.shape[2]) for total in sums))


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


def tone_curve(y: jax.Array, heights: jax.Array) -> jax.Array:
  """The curve of each channel that joins `heights` at even knots over [0, 1], at the values y.

  Args:
    y: [B, H, W, C] in [0, 1].
    heights: [B, C, knots].
  """
  places = y * (heights.shape[-1] - 1)

  @jax.checkpoint  # or the gradient would keep the weights of all knots in memory
  def add(curve, knot):
    place, height = knot
    weight = jnp.clip(1.0 - jnp.abs(places - place), 0.0, 1.0)
    return curve + height[:, None, None] * weight, None

  knots = jnp.arange(heights.shape[-1], dtype=y.dtype)
  return jax.lax.scan(add, jnp.zeros_like(y), (knots, jnp.moveaxis(heights, -1, 0)))[0]
