"""A tone curve for a photo, chosen by what the whole photo says of its camera's response.

A camera has one response for all pixels of a photo. A window of an image knows only a few of them;
the statistics, taken of the whole photo once, know all, and they are 6 x bins numbers whatever
its size: how often each level occurs in each channel, and how colourful pixels of each level are.
Both depend on the response and little on the scale of what is seen.

Levels are even steps over [0, 1] of y, the photo in the network's domain.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from expocm_jax.network.layers import dense

Array = jax.Array | np.ndarray  # host and device: computed in the array's own namespace

CURVE_SCALE = 0.3  # of tone curves: one step of Adam moves them by a few thousandths
FLOOR = 1e-3  # share of the pixels below which the colour of a level fades to grey


def hat_weights(x: Array, knots: int) -> Array:
  """Weights of linear interpolation between even knots over [0, 1].

  Args:
    x: [...] in [0, 1].
    knots: how many, at least 2; the first lies at 0, the last at 1. 0 gives no weights.

  Returns:
    [..., knots] in [0, 1]; at most two are above zero, and all sum to one.
  """
  xp = x.__array_namespace__()
  positions = xp.arange(knots, dtype=x.dtype).reshape((1,) * x.ndim + (knots,))
  return xp.clip(1.0 - xp.abs(x[..., None] * (knots - 1) - positions), 0.0, 1.0)


def tone_sums(codes: Array, y: Array) -> Array:
  """What `tone_statistics` needs of a photo or a part of it; the sums of its parts add up.

  Args:
    codes: [H, W, 3] unsigned integers below N.
    y: [N] float32, the level of each code.

  Returns:
    [7, N], float64 for numpy and float32 for JAX: how many pixels have the code in R, in G, in B
    and as their largest channel; of the last, how far R, G and B lie below the largest, in all.
  """
  xp = codes.__array_namespace__()
  count = np.bincount if xp is np else functools.partial(jnp.bincount, length=y.size)
  channels = codes.reshape(-1, 3).T
  largest = channels.max(axis=0)
  sums = [count(values, minlength=y.size) for values in (*channels, largest)]
  sums += [count(largest, y[largest] - y[values], minlength=y.size) for values in channels]
  return xp.stack(sums, dtype=float)


def tone_statistics(sums: Array, y: Array, bins: int) -> Array:
  """The statistics of the photo of which `tone_sums` gave `sums`, [6, bins] float32.

  For R, G and B the shares of the levels, which sum to one; then how far each channel lies below
  the largest one, on average over the pixels whose largest is near the level.
  """
  xp = sums.__array_namespace__()
  means = (sums @ hat_weights(y, bins).astype(float) / sums[3].sum()).astype(np.float32)
  return xp.concatenate([means[:3], means[4:] / (means[3:4] + FLOOR)])


def tone_curve(y: jax.Array, heights: jax.Array) -> jax.Array:
  """The curve of each channel that joins `heights` at even knots over [0, 1], at the values y.

  Args:
    y: [B, H, W, C] in [0, 1].
    heights: [B, C, knots].
  """
  positions = y * (heights.shape[-1] - 1)

  @jax.checkpoint  # or the gradient would keep the weights of all knots in memory
  def add(curve, knot):
    position, height = knot
    weight = jnp.clip(1.0 - jnp.abs(positions - position), 0.0, 1.0)
    return curve + height[:, None, None] * weight, None

  knots = jnp.arange(heights.shape[-1], dtype=y.dtype)
  return jax.lax.scan(add, jnp.zeros_like(y), (knots, jnp.moveaxis(heights, -1, 0)))[0]


class ToneCurve(nn.Module):
  """One curve per channel for a whole photo, chosen by its tone statistics.

  It undoes the camera's response as far as that is the same for all pixels, so that the
  convolutions need not find it out at every place anew.
  """

  features: int = 128
  knots: int = 17

  @nn.compact
  def __call__(self, y: jax.Array, tone: jax.Array) -> jax.Array:
    """The curves' values, zero at first.

    Args:
      y: [B, H, W, 3] in [0, 1].
      tone: [B, 6, bins], `tone_statistics` of the whole photos.

    Returns:
      [B, H, W, 3], to be added to the network's output, which is about x0 - y.
    """
    shares, differences = jnp.split(tone, 2, axis=1)
    # Of some fifty bins most hold a few percent, most differences are a tenth: about one, both.
    hidden = jnp.concatenate([0.5 * jnp.log(shares + 1e-3) + 2.5, 10.0 * differences], axis=1)
    hidden = hidden.reshape(hidden.shape[0], -1)
    for _ in range(2):
      hidden = nn.silu(dense(self.features)(hidden))
    heights = dense(3 * self.knots, zero=True)(hidden)
    return tone_curve(y, CURVE_SCALE * heights.reshape(-1, 3, self.knots))
