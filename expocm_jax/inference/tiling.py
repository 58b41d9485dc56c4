"""Windows over an image of any size, and noise that belongs to a place.

The image is taken to continue beyond its borders by reflection, for ever. A window is an output
tile with a halo on every side; when the halo is at least the network's receptive radius, the
zero padding of its convolutions never reaches the tile, and a pixel's value does not depend on
which window computed it. Positions are pixels (row, column) of the image; those beyond the
borders, negative ones included, are as good as any.
"""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

TILE_SIZES = (64, 128, 256, 512)  # few, so that few shapes are ever compiled


class Layout(NamedTuple):
  """Equal tiles that cover an image from its top left corner, the last ones overhanging."""

  tile: tuple[int, int]  # rows, columns that one window yields
  halo: int  # pixels around a tile
  corners: tuple[tuple[int, int], ...]  # top left pixel of each tile

  @property
  def window(self) -> tuple[int, int]:
    """Rows and columns of a window: the tile with its halo."""
    return self.tile[0] + 2 * self.halo, self.tile[1] + 2 * self.halo


def layout(
  height: int, width: int, radius: int, *, stride: int = 8, max_tile: int = TILE_SIZES[-1]
) -> Layout:
  """Tiles for an image of `height` x `width` pixels seen through a receptive `radius`.

  The halo is the radius rounded up to a multiple of the network's `stride`, so that every window
  is halved along the same grid. On each axis the side of TILE_SIZES that computes the fewest
  pixels, halo included, is taken; `max_tile`, one of them, bounds the memory. Raises ValueError
  for an empty image, another `max_tile`, or a stride that does not divide the smallest side.
  """
  if min(height, width) < 1:
    raise ValueError(f"an image needs at least 1 x 1 pixels, not {height} x {width}")
  if max_tile not in TILE_SIZES:
    raise ValueError(f"max_tile is one of {TILE_SIZES}, not {max_tile}")
  if TILE_SIZES[0] % stride:
    raise ValueError(f"a stride of {stride} pixels does not divide tiles of {TILE_SIZES[0]}")
  halo = -(-radius // stride) * stride
  sides = [side for side in TILE_SIZES if side <= max_tile]
  tile = tuple(
    min(sides, key=lambda side: -(-size // side) * (side + 2 * halo)) for size in (height, width)
  )
  corners = itertools.product(range(0, height, tile[0]), range(0, width, tile[1]))
  return Layout(tile, halo, tuple(corners))


def reflect_indices(start: int, stop: int, size: int) -> np.ndarray:
  """Indices in [0, size) of the positions start..stop-1 of a line continued by reflection.

  The end points are not repeated (`numpy.pad`'s "reflect"), and any distance is allowed.
  """
  period = max(2 * (size - 1), 1)
  position = np.arange(start, stop) % period
  return np.minimum(position, period - position)


def pixel_places(size: int) -> np.ndarray:
  """Where the centres of `size` pixels of a line lie on it: [size] in (0, 1)."""
  return (np.arange(size, dtype=np.float32) + 0.5) / size


def cut_window(image: np.ndarray, corner: tuple[int, int], layout_: Layout) -> np.ndarray:
  """The window [rows, columns, C] of `image` [H, W, C] around the tile at `corner`."""
  return image[np.ix_(*_window_indices(image.shape[:2], corner, layout_))]


def window_places(
  size: tuple[int, int], corner: tuple[int, int], layout_: Layout
) -> tuple[np.ndarray, np.ndarray]:
  """Where the rows and the columns of `cut_window` lie in an image of `size`: in (0, 1)."""
  indices = _window_indices(size, corner, layout_)
  return tuple(pixel_places(n)[index] for n, index in zip(size, indices, strict=True))


def _window_indices(
  size: tuple[int, int], corner: tuple[int, int], layout_: Layout
) -> list[np.ndarray]:
  """The image's rows, and its columns, that a window shows."""
  return [
    reflect_indices(first - layout_.halo, first + side + layout_.halo, n)
    for first, side, n in zip(corner, layout_.tile, size, strict=True)
  ]


def noise_window(key: Array, origin: Array, shape: tuple[int, int]) -> Array:
  """Standard normal noise [rows, columns, 3] of the window whose top left pixel is `origin`.

  A function of the key and of each pixel's position alone: windows that overlap agree where
  they do. `origin` is int32 [2] and may be traced and negative.
  """
  rows, columns = (
    origin[axis].astype(jnp.uint32) + jnp.arange(shape[axis], dtype=jnp.uint32) for axis in (0, 1)
  )

  def pixel(row_key: Array, column: Array) -> Array:
    return jax.random.normal(jax.random.fold_in(row_key, column), (3,), jnp.float32)

  row_keys = jax.vmap(jax.random.fold_in, (None, 0))(key, rows)
  return jax.vmap(jax.vmap(pixel, (None, 0)), (0, None))(row_keys, columns)
