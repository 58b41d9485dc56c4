"""Building blocks of the U-Net. Normalisation is per pixel, never over space.

That way a tile with enough margin gives the same pixels as the whole image.
"""

import math

import flax.linen as nn
import jax
import jax.flatten_util
import jax.numpy as jnp

EPSILON = 1e-5  # of `ChannelNorm`, beside a mean square


def spread(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
  """Fills a kernel with the standard deviation 1/sqrt(fan-in) that its random start shall have.

  `random_kernels` multiplies all kernels by one draw: a draw a kernel compiles for a minute.
  """
  del key
  return jnp.full(shape, math.prod(shape[:-1]) ** -0.5, dtype)


def random_kernels(params: dict, key: jax.Array) -> dict:
  """Parameters in which the kernels hold a spread, with normal kernels of that spread."""
  flat, unflatten = jax.flatten_util.ravel_pytree(params)
  noise = unflatten(jax.random.normal(key, flat.shape))
  # Kernels alone hold a spread (`spread`); norms and biases start at ones and zeros.
  return jax.tree_util.tree_map_with_path(
    lambda path, p, n: p * n if path[-1].key == "kernel" else p, params, noise
  )


def conv(
  features: int, *, dtype: jnp.dtype, kernel: int = 3, stride: int = 1, zero: bool = False
) -> nn.Conv:
  """A convolution with an odd `kernel` that pads with zeros, half a kernel on each side.

  `dtype` is that of the activations; `zero` lets the kernel start at zero.
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
