"""A grid of tone curves, chosen by what each part of the whole photo says.

A network on tiles sees a window, and in a large photo that is a small part: a sky that fills it
looks the same as paper. So the photo, whatever its size, is divided into the same number of cells,
and the network is told how often each level occurs in each of them. From that it chooses a coarse
grid of curves, which are interpolated between places and between levels, as in a bilateral grid
(Chen et al. 2007; chosen by a network: Gharbi et al. 2017). Cells grow with the photo, so a photo
and its thumbnail get about the same curves.

Levels are y over the value of white, per channel, in [0, 1]: 1 is where the photo clips.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from expocm_jax.network.layers import ChannelNorm, ResidualBlock, conv, fold, upsample
from expocm_jax.network.tone_curve import CURVE_SCALE, Array, hat_weights

# Levels with a weight of their own: close together near white, since what a place can tell is
# above all how bright that was which clipped there.
KNOTS = (0.0, 0.5, 0.8, 0.92, 0.98, 1.0)
# Accelerators round factors of float32 by default: weights would no longer sum to one.
einsum = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)

_ENDS = np.array([-1.0, *KNOTS, 2.0], np.float32)  # the outer two are never reached
NEIGHBOURHOODS = np.stack([_ENDS[:-2], _ENDS[1:-1], _ENDS[2:]], axis=1)  # [knots, 3]


def level_weight(level: Array, neighbourhood: Array) -> Array:
  """The weight of a knot in linear interpolation between `KNOTS`, as a function of the level.

  `neighbourhood` is a row of `NEIGHBOURHOODS`: knot before, knot, knot after. The weight is one at
  the knot and zero from its neighbours on; those of all knots sum to one.
  """
  xp = level.__array_namespace__()
  before, knot, after = neighbourhood
  rising, falling = (level - before) / (knot - before), (after - level) / (after - knot)
  return xp.clip(xp.minimum(rising, falling), 0.0, 1.0)


def cell_weights(size: int, cells: int) -> np.ndarray:
  """Share of each of `size` pixels in the mean of each cell: [cells, size], rows sum to one.

  Cells are equally long; a pixel that lies in two of them counts in both by its overlap.
  """
  edges = np.linspace(0.0, size, cells + 1)
  pixels = np.arange(size)
  overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
  return (np.maximum(overlap, 0.0) * cells / size).astype(np.float32)


def cell_statistics(codes: Array, level: Array, down: np.ndarray, across: np.ndarray) -> Array:
  """Shares of the levels in each cell of a photo; what bands of its rows give adds up to them.

  Args:
    codes: [H, W, 3] unsigned integers below N.
    level: [N] float32 in [0, 1], of each code.
    down: [cells, H], `cell_weights` of the photo's rows, for a band those of its rows.
    across: [cells, W], of its columns.

  Returns:
    [cells, cells, 3 * knots], float64 for numpy and float32 for JAX: the means of each
    `level_weight` over each cell, three channels of the first knot, three of the second, ...
  """
  xp = codes.__array_namespace__()
  channels = xp.stack([codes[..., channel] for channel in range(3)])

  def means(weight: Array) -> Array:
    return down @ (weight[channels] @ across.T)

  # One knot at a time, or the weights of all of them would lie in memory.
  weights = xp.stack([level_weight(level, neighbourhood) for neighbourhood in NEIGHBOURHOODS])
  shares = np.stack(list(map(means, weights))) if xp is np else jax.lax.map(means, weights)
  return xp.moveaxis(shares.reshape(3 * len(KNOTS), *shares.shape[2:]), 0, -1).astype(float)


def binomial_blur(grid: jax.Array) -> jax.Array:
  """A grid [B, h, w, C] through the binomial (1, 4, 6, 4, 1) / 16 along both sides, edges repeated.

  So that a large white surface shows no squares: curves are to differ between parts of a photo.
  """
  for axis in (1, 2):
    size = grid.shape[axis]
    padding = [(2, 2) if i == axis else (0, 0) for i in range(grid.ndim)]
    padded = jnp.pad(grid, padding, mode="edge")
    grid = sum(
      weight / 16.0 * jax.lax.slice_in_dim(padded, i, i + size, axis=axis)
      for i, weight in enumerate((1.0, 4.0, 6.0, 4.0, 1.0))
    )
  return grid


def _centre_weights(positions: jax.Array, parts: int) -> jax.Array:
  """Weights of the centres of equal parts of a line at `positions` in [0, 1]: [..., parts]."""
  between = (positions * parts - 0.5) / (parts - 1)  # 0 at the first centre, 1 at the last
  return hat_weights(jnp.clip(between, 0.0, 1.0), parts)


def slice_grid(grid: jax.Array, level: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
  """The values of a grid of curves at the places and levels of pixels.

  Args:
    grid: [B, h, w, 3 * knots]: heights of the three channels' curves at the first knot, at the
      second, ... for the centres of h x w equal parts of the photos, at least two a side.
    level: [B, H, W, 3] in [0, 1], a part of the photos.
    rows: [H] in [0, 1], where the part's rows lie in the photos.
    columns: [W], its columns.

  Returns:
    [B, H, W, 3], interpolated linearly between rows, columns and levels; beyond the outermost
    centres the grid continues as it is there.
  """
  down, across = _centre_weights(rows, grid.shape[1]), _centre_weights(columns, grid.shape[2])
  curves = einsum("bijk,wj->biwk", grid, across)
  curves = curves.reshape(*curves.shape[:3], len(KNOTS), 3)

  @jax.checkpoint  # or the gradient would keep the heights of all knots in memory
  def add(total: jax.Array, knot: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
    neighbourhood, curve = knot
    heights = einsum("biwc,hi->bhwc", curve, down)
    return total + heights * level_weight(level, neighbourhood), None

  knots = (NEIGHBOURHOODS, jnp.moveaxis(curves, 3, 0))
  return jax.lax.scan(add, jnp.zeros_like(level), knots)[0]


class ToneGrid(nn.Module):
  """A curve for each channel and place of a photo, chosen by the levels in all its cells.

  A small U-Net over the cells: places are squares of two by two cells, and of four by four. All
  that makes them larger or smaller is symmetric, so a place's curve belongs to its centre.
  """

  features: int  # of the finer grid; the coarser has twice as many
  dtype: jnp.dtype

  @nn.compact
  def __call__(
    self,
    level: jax.Array,
    cells: jax.Array,
    rows: jax.Array,
    columns: jax.Array,
    embedding: jax.Array,
  ) -> jax.Array:
    """The curves' values, zero at first.

    Args:
      level, rows, columns: as of `slice_grid`.
      cells: [B, n, n, 3 * knots], `cell_statistics` of the whole photos, n divisible by four.
      embedding: [B, E], `TimeEmbedding` of t.

    Returns:
      [B, H, W, 3], to be added to the network's output.
    """
    # What is up is often sky.
    height = jnp.linspace(-1.0, 1.0, cells.shape[1])[None, :, None, None]
    height = jnp.broadcast_to(height, (*cells.shape[:3], 1))
    inputs = jnp.concatenate([2.0 * cells, jnp.ones_like(height), height], axis=-1)
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
    return slice_grid(binomial_blur(grid), level, rows, columns)
