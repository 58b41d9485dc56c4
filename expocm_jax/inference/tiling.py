"""Tiles of an image of any size, and the windows from which they are computed.

The image is taken to continue beyond its borders by reflection, for ever. A window is an output
tile with a halo on every side; when the halo is at least the network's receptive radius, the
zero padding of its convolutions never reaches the tile, and a pixel's value does not depend on
which window computed it.
"""

import itertools
from typing import NamedTuple

import numpy as np

from expocm_jax.network.unet import LARGEST_STRIDE

TILE_SIZES = (LARGEST_STRIDE, 128, 256, 512)  # few, so that few shapes are ever compiled


class Layout(NamedTuple):
  """Equal tiles that cover an image from its top left corner, the last ones overhanging."""

  image: tuple[int, int]  # rows, columns
  tile: tuple[int, int]  # rows, columns that one window yields
  halo: int  # pixels around a tile

  @property
  def window(self) -> tuple[int, int]:
    """Rows and columns of a window: the tile with its halo."""
    return self.tile[0] + 2 * self.halo, self.tile[1] + 2 * self.halo

  @property
  def corners(self) -> list[tuple[int, int]]:
    """Top left pixel of each tile."""
    starts = (range(0, size, side) for size, side in zip(self.image, self.tile, strict=True))
    return list(itertools.product(*starts))

  def window_indices(self, corner: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The image's rows, and its columns, that the window of the tile at `corner` shows."""
    return tuple(
      reflect_indices(first - self.halo, first + side + self.halo, size)
      for first, side, size in zip(corner, self.tile, self.image, strict=True)
    )


def layout(height: int, width: int, radius: int, *, stride: int, max_tile: int) -> Layout:
  """Tiles for an image of `height` x `width` pixels seen through a receptive `radius`.

  The halo is the radius rounded up to a multiple of the network's `stride`, so that every window
  is halved along the same grid. On each axis the side of TILE_SIZES that computes the fewest
  pixels, halo included, is taken; `max_tile`, one of them, bounds the memory. Raises ValueError
  for another `max_tile`, or a stride that does not divide the smallest side.
  """
  if max_tile not in TILE_SIZES:
    raise ValueError(f"max_tile is one of {TILE_SIZES}, not {max_tile}")
  if TILE_SIZES[0] % stride:
    raise ValueError(f"a stride of {stride} pixels does not divide tiles of {TILE_SIZES[0]}")
  halo = -(-radius // stride) * stride
  sides = [side for side in TILE_SIZES if side <= max_tile]
  rows, columns = (
    min(sides, key=lambda side: -(-size // side) * (side + 2 * halo)) for size in (height, width)
  )
  return Layout((height, width), (rows, columns), halo)


def reflect_indices(start: int, stop: int, size: int) -> np.ndarray:
  """Indices in [0, size) of the positions start..stop-1 of a line continued by reflection.

  The end points are not repeated (`numpy.pad`'s "reflect"), and any distance is allowed.
  """
  period = max(2 * (size - 1), 1)
  position = np.arange(start, stop) % period
  return np.minimum(position, period - position)
