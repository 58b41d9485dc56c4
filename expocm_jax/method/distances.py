"""Distances between two estimates of x0: what consistency training minimises, eq. 4.

Contract: images are [..., H, W, 3] in the network's domain (mu-law, [0, 1]); a distance is one
number per image, [...].
"""

from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp

from expocm_jax.method.masks import ExposureMasks

IMAGE_AXES = (-3, -2, -1)
HUBER_C = 0.00054  # for a mean over values; 0.00054 sqrt(n) for a sum, Song and Dhariwal 2023
CHARBONNIER_EPSILON = 1e-3  # in units of x0


def l2(prediction: jax.Array, target: jax.Array) -> jax.Array:
  """Mean squared difference [P]."""
  chex.assert_equal_shape([prediction, target])
  return jnp.mean(jnp.square(prediction - target), axis=IMAGE_AXES)


def charbonnier(prediction: jax.Array, target: jax.Array) -> jax.Array:
  """Mean of sqrt(d^2 + epsilon^2): absolute error with a smooth minimum."""
  chex.assert_equal_shape([prediction, target])
  square = jnp.square(prediction - target)
  return jnp.mean(jnp.sqrt(square + CHARBONNIER_EPSILON**2), axis=IMAGE_AXES)


def pseudo_huber(prediction: jax.Array, target: jax.Array) -> jax.Array:
  """sqrt(|d|^2 + c^2) - c over a whole image of n values, c = 0.00054 sqrt(n), divided by sqrt(n).

  The constant is improved consistency training's (Song and Dhariwal 2023); the division keeps
  the value independent of the image's size.
  """
  return jnp.sqrt(l2(prediction, target) + HUBER_C**2) - HUBER_C


def regional_huber(
  prediction: jax.Array,
  target: jax.Array,
  masks: ExposureMasks,
  *,
  shares: Sequence[float],
) -> jax.Array:
  """Pseudo-Huber over each exposure region by itself, weighted by `shares`.

  Over a whole image a few percent of clipped pixels hardly count; here regions count by their
  share, not by their size.

  Args:
    prediction, target: [..., H, W, 3].
    masks: the three exposure masks of the photo.
    shares: weights of the over-, under- and well-exposed region, whatever their sum. A region of
      less than a thousandth of the image fades out, and the others have its share.
  """
  chex.assert_equal_shape([prediction, target])
  square = jnp.mean(jnp.square(prediction - target), axis=-1, keepdims=True)
  total, weights = 0.0, 0.0
  for mask, share in zip(masks, shares, strict=True):
    size = jnp.mean(mask, axis=IMAGE_AXES)
    error = jnp.mean(mask * square, axis=IMAGE_AXES) / (size + 1e-6)
    weight = share * size / (size + 1e-3)
    total += weight * (jnp.sqrt(error + HUBER_C**2) - HUBER_C)
    weights += weight
  return total / (weights + 1e-9)


DISTANCES = {"l2": l2, "charbonnier": charbonnier, "pseudo_huber": pseudo_huber}  # of two images
