"""Building blocks of the U-Net. Normalisation is per pixel, never over space.

That way a tile with enough margin gives the same pixels as the whole image.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from expocm_jax.network.photo_context import PhotoContext
from expocm_jax.network.tone_curve import tone_curve
from expocm_jax.network.tone_grid import KNOTS, slice_grid, smooth_places

EPSILON = 1e-5
CURVE_SCALE = 0.3  # of tone curves: one step of Adam moves them by a few thousandths


def spread(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
  """Fills a kernel with the standard deviation 1/sqrt(fan-in) that its random start shall have.

  `unet.init_params` multiplies all kernels by one draw: a draw a kernel compiles for a minute.
  """
  del key
  return jnp.full(shape, math.prod(shape[:-1]) ** -0.5, dtype)


def conv(
  features: int,
  *,
  dtype: jnp.dtype,
  kernel: int = 3,
  stride: int = 1,
  zero: bool = False,
) -> nn.Conv:
  """A convolution that pads with zeros, one pixel on each side for a 3x3 kernel.

  Args:
    features: channels of the output.
    dtype: of the activations.
    kernel: side of the kernel, odd.
    stride: of the output.
    zero: the kernel starts at zero.
  """
  half = kernel // 2
  precise = jnp.dtype(dtype) == jnp.float32  # accelerators would round the factors
  return nn.Conv(
    features,
    (kernel, kernel),
    strides=stride,
    padding=((half, half), (half, half)),
    dtype=dtype,
    precision=jax.lax.Precision.HIGHEST if precise else None,
    kernel_init=nn.initializers.zeros if zero else spread,
  )


def dense(features: int, *, zero: bool = False) -> nn.Dense:
  """A dense layer in float32, also where accelerators would round the factors."""
  return nn.Dense(
    features,
    precision=jax.lax.Precision.HIGHEST,
    kernel_init=nn.initializers.zeros if zero else spread,
  )


class ChannelNorm(nn.Module):
  """Divides each pixel by the root mean square of its channels; statistics in float32."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
    wide = x.astype(jnp.float32)
    inverse = jax.lax.rsqrt(jnp.mean(jnp.square(wide), axis=-1, keepdims=True) + EPSILON)
    scale = scale.reshape((1,) * (x.ndim - 1) + (-1,))
    return (wide * inverse * scale).astype(x.dtype)


class TimeEmbedding(nn.Module):
  """Positional encoding of t in [0, 1] and two dense layers: [B] -> [B, 4 * features]."""

  features: int

  @nn.compact
  def __call__(self, t: jax.Array) -> jax.Array:
    # Periods from 2 (t = 0 and t = 1 are told apart) down to 2 / 64.
    frequencies = jnp.pi * jnp.exp2(jnp.linspace(0.0, 6.0, self.features // 2))
    angles = t[:, None] * frequencies[None, :]
    encoding = jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
    hidden = nn.silu(dense(4 * self.features)(encoding))
    return nn.silu(dense(4 * self.features)(hidden))


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


class ToneGrid(nn.Module):
  """A curve for each channel and place of a photo, chosen by the levels in all its cells.

  A small U-Net over the cells: places are squares of two by two cells, and of four by four. All
  that makes them larger or smaller is symmetric, so a place's curve belongs to its centre.
  """

  features: int  # of the finer grid; the coarser has twice as many
  dtype: jnp.dtype

  @nn.compact
  def __call__(self, y: jax.Array, context: PhotoContext, embedding: jax.Array) -> jax.Array:
    """The curves' values, zero at first.

    Args:
      y: [B, H, W, 3] in [0, white], a part of the photos.
      context: of the photos; the cells along a side are divisible by four.
      embedding: [B, E], `TimeEmbedding` of t.

    Returns:
      [B, H, W, 3], to be added to the network's output.
    """
    shares = context.cells
    # What is up is often sky.
    height = jnp.linspace(-1.0, 1.0, shares.shape[1])[None, :, None, None]
    height = jnp.broadcast_to(height, (*shares.shape[:3], 1))
    inputs = jnp.concatenate([2.0 * shares, jnp.ones_like(height), height], axis=-1)
    fine = conv(self.features, dtype=self.dtype)(fold(inputs.astype(self.dtype), 2))
    fine = ResidualBlock(self.features, self.dtype)(fine, embedding)
    h = conv(2 * self.features, dtype=self.dtype, kernel=1)(fold(fine, 2))
    for _ in range(3):
      h = ResidualBlock(2 * self.features, self.dtype)(h, embedding)
    h = conv(self.features, dtype=self.dtype)(upsample(h))
    h = jnp.concatenate([h, fine], axis=-1)
    h = ResidualBlock(self.features, self.dtype)(h, embedding)
    h = nn.silu(ChannelNorm()(h)).astype(jnp.float32)
    grid = CURVE_SCALE * conv(3 * len(KNOTS), dtype=jnp.float32, kernel=1, zero=True)(h)
    level = y / context.white
    return slice_grid(smooth_places(grid), level, context.rows, context.columns)


class ResidualBlock(nn.Module):
  """Pre-activation residual block; t enters as a scale and a shift per channel (FiLM).

  It reads two pixels on each side of a pixel.
  """

  features: int
  dtype: jnp.dtype

  @nn.compact
  def __call__(self, x: jax.Array, embedding: jax.Array) -> jax.Array:
    hidden = conv(self.features, dtype=self.dtype)(nn.silu(ChannelNorm()(x)))
    film = dense(2 * self.features, zero=True)(embedding)
    scale, shift = jnp.split(film[:, None, None, :].astype(self.dtype), 2, axis=-1)
    hidden = ChannelNorm()(hidden) * (1.0 + scale) + shift
    hidden = conv(self.features, dtype=self.dtype)(nn.silu(hidden))
    if x.shape[-1] != self.features:
      x = conv(self.features, dtype=self.dtype, kernel=1)(x)
    return x + hidden


def upsample(x: jax.Array) -> jax.Array:
  """Nearest-neighbour upsampling by two: [B, H, W, C] -> [B, 2H, 2W, C]."""
  return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def fold(x: jax.Array, patch: int) -> jax.Array:
  """Squares of `patch` pixels into channels: [B, H, W, C] -> [B, H / p, W / p, C p^2]."""
  b, h, w, c = x.shape
  x = x.reshape(b, h // patch, patch, w // patch, patch, c)
  return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, h // patch, w // patch, patch**2 * c)


def unfold(x: jax.Array, patch: int) -> jax.Array:
  """The inverse of `fold`: [B, h, w, C p^2] -> [B, h p, w p, C]."""
  b, h, w, c = x.shape
  x = x.reshape(b, h, w, patch, patch, c // patch**2)
  return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, h * patch, w * patch, c // patch**2)
