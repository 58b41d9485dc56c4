"""The network F(x_t, y, t): a U-Net with three down- and three upsampling stages."""

from collections.abc import Iterable

import flax.linen as nn
import jax
import jax.numpy as jnp

from expocm_jax.network import conditioning
from expocm_jax.network.conditioning import PhotoContext
from expocm_jax.network.layers import (
  ChannelNorm,
  ResidualBlock,
  TimeEmbedding,
  conv,
  fold,
  random_kernels,
  unfold,
  upsample,
)
from expocm_jax.network.tone_curve import ToneCurve
from expocm_jax.network.tone_grid import ToneGrid

LARGEST_STRIDE = 64  # pixels; a network's stride must divide it, for inference's tiles to line up


class UNet(nn.Module):
  """Residual U-Net without attention.

  Attributes:
    base_width: channels at full resolution.
    multipliers: channels of each level over `base_width`; one level more than samplings.
    blocks: residual blocks a level, on the way down and on the way up.
    time_features: sines and cosines that encode t.
    dtype: of the activations; parameters are float32.
    patch: side in pixels of the squares that are folded into channels before the first layer, and
      unfolded after the last; 1 = none.
    tone_bins: of the statistics from which a tone curve of the whole photo comes; 0 = no curve.
    tone_cells: along either side of the photo, from which a grid of curves comes; 0 = no grid.
  """

  base_width: int
  multipliers: tuple[int, ...]
  blocks: int
  time_features: int
  dtype: jnp.dtype
  patch: int
  tone_bins: int
  tone_cells: int

  @nn.compact
  def __call__(
    self, x_t: jax.Array, t: jax.Array, y: jax.Array, context: PhotoContext
  ) -> jax.Array:
    """The network's output, [B, H, W, 3] float32.

    Args:
      x_t: [B, H, W, 3], the state; H and W divisible by `stride`.
      t: [B], its time.
      y: [B, H, W, 3] in [0, 1], the photo or a part of it.
      context: of the whole photo, and where in it y lies.
    """
    widths = [self.base_width * m for m in self.multipliers]
    embedding = TimeEmbedding(self.time_features)(t)
    # The norms divide out a pixel's scale: only beside a constant does its brightness survive.
    inputs = fold(jnp.concatenate([x_t, y], axis=-1), self.patch)
    inputs = jnp.concatenate([inputs, jnp.ones_like(inputs[..., :1])], axis=-1)
    h = conv(widths[0], dtype=self.dtype)(inputs.astype(self.dtype))
    skips = []
    for level, width in enumerate(widths):
      if level > 0:
        h = conv(width, dtype=self.dtype, stride=2)(h)
      for _ in range(self.blocks):
        h = ResidualBlock(width, self.dtype)(h, embedding)
      skips.append(h)
    skips.pop()
    for width in reversed(widths[:-1]):
      h = conv(width, dtype=self.dtype)(upsample(h))
      h = jnp.concatenate([h, skips.pop()], axis=-1)
      for _ in range(self.blocks):
        h = ResidualBlock(width, self.dtype)(h, embedding)
    h = nn.silu(ChannelNorm()(h))
    # The last layer starts at zero: an untrained model returns the linearised LDR.
    output = conv(3 * self.patch**2, dtype=jnp.float32, zero=True)(h.astype(jnp.float32))
    output = unfold(output, self.patch)
    if self.tone_bins:
      output += ToneCurve()(y, context.tone)
    if self.tone_cells:
      level = y / context.white
      grid = ToneGrid(self.base_width, self.dtype)
      output += grid(level, context.cells, context.rows, context.columns, embedding)
    return output


def create(*, multipliers: Iterable[int], dtype: str, **fields: int) -> UNet:
  """The network with the fields of `config.model`."""
  return UNet(multipliers=tuple(multipliers), dtype=jnp.dtype(dtype), **fields)


def init_params(network: UNet, key: jax.Array) -> dict:
  """Fresh float32 parameters, a nested dict of arrays."""
  size = stride(network.multipliers, network.patch)
  image = jnp.zeros((1, size, size, 3))
  bins, cells = network.tone_bins, network.tone_cells
  context = conditioning.from_photos(image, lambda ldr: ldr, bins=bins, cells=cells)
  return random_kernels(network.init(key, image, jnp.zeros((1,)), image, context)["params"], key)


def stride(multipliers: tuple[int, ...], patch: int) -> int:
  """Images must have sides divisible by this many pixels."""
  return patch * 2 ** (len(multipliers) - 1)


def receptive_radius(multipliers: tuple[int, ...], blocks: int, patch: int) -> int:
  """Upper bound on how many pixels away an input pixel can influence an output pixel."""
  levels = len(multipliers)
  radius = 2  # the first and the last convolution
  for level in range(levels):
    passes = 1 if level == levels - 1 else 2  # down and up
    radius += passes * blocks * 2 * 2**level  # two 3x3 convolutions a block
    if level:
      # Down: the strided convolution, half a pixel of the level. Up: nearest neighbours, up to a
      # pixel, and the convolution after them, half a pixel.
      radius += 2 * 2**level
  return patch * (radius + 1) - 1  # from one end of a folded square to the other end of another
