"""The consistency function f and its boundary condition.

    f(x, t, y) = c_skip(t) x + (1 - c_skip(t)) y + c_out(t) F(x, y, t)

with c_skip = delta^2 / (t^2 + delta^2) and c_out = t / sqrt(t^2 + delta^2), after Karras et al.
f(x, 0, y) = x exactly. With F = 0, f at t = 1 is almost exactly the LDR: training starts there.
c_skip must fall quickly, or the noise of x_t leaks through the skip into the output. Without the
residual, f = c_skip x + c_out F, the form of consistency models (Song et al. 2023).
"""

import chex
import jax
import jax.numpy as jnp


def c_skip(t: jax.Array, *, delta: float) -> jax.Array:
  """Weight of x_t in the output; 1 at t = 0, 1/2 at t = delta."""
  return delta**2 / (t**2 + delta**2)


def c_out(t: jax.Array, *, delta: float) -> jax.Array:
  """Weight of the network's output; exactly 0 at t = 0."""
  return t / jnp.sqrt(t**2 + delta**2)


def lost_weight(y: jax.Array, levels: jax.Array) -> jax.Array:
  """Where a photo is not reliable: 1 near black and near white, 0 between, [..., H, W, 1].

  By each pixel's largest channel. The network's output counts by this weight where the photo's own
  pixels are to be kept [C]; the exposure masks, relative to the photo, would not do for that.

  Args:
    y: [..., H, W, 3], the LDR in the domain of x0.
    levels: [4], rising, of y: the weight falls from the first to the second and rises from the
      third to the fourth.
  """
  largest = jnp.max(y, axis=-1, keepdims=True)
  near_black = (levels[1] - largest) / (levels[1] - levels[0])
  near_white = (largest - levels[2]) / (levels[3] - levels[2])
  return jnp.clip(jnp.maximum(near_black, near_white), 0.0, 1.0)


def consistency_function(
  network_output: jax.Array,
  x_t: jax.Array,
  t: jax.Array,
  y: jax.Array,
  *,
  delta: float,
  residual: bool,
) -> jax.Array:
  """The estimate of x0 from the network's raw output F(x_t, y, t).

  Args:
    network_output: [..., H, W, 3], F.
    x_t: [..., H, W, 3], a point of the trajectory.
    t: [...] in [0, 1], one value an image.
    y: [..., H, W, 3] in [0, 1], the LDR in the domain of x0.
    delta: time at which the skip has fallen to one half.
    residual: whether y is the start that the network corrects.
  """
  chex.assert_equal_shape([network_output, x_t, y])
  t = t[..., None, None, None]
  skip = c_skip(t, delta=delta)
  start = skip * x_t + (1.0 - skip) * y if residual else skip * x_t
  return start + c_out(t, delta=delta) * network_output
