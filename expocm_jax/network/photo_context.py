"""What the network is told of a whole photo when it sees a part of it."""

from typing import NamedTuple

import jax

from expocm_jax.inference.tiling import pixel_places
from expocm_jax.network.tone_curve import tone_statistics
from expocm_jax.network.tone_grid import cell_statistics


class PhotoContext(NamedTuple):
  """Statistics of whole photos, and where in them a part lies.

  They are taken once, before a photo is cut into tiles; beside y they are all that the tone curve
  and the tone grid depend on.
  """

  tone: jax.Array  # [B, 6, bins], `tone_statistics.tone_statistics` of y
  cells: jax.Array  # [B, n, n, 3 * knots], `tone_grid.cell_statistics` of y / white
  white: jax.Array  # [], y where the photo clips
  rows: jax.Array  # [H] in [0, 1], where the part's rows lie in the photos
  columns: jax.Array  # [W] in [0, 1], its columns


def whole(y: jax.Array, white: jax.Array, *, bins: int, cells: int) -> PhotoContext:
  """The context of photos [B, H, W, 3] that are seen whole; 0 bins or cells give empty arrays."""
  rows, columns = (pixel_places(size) for size in y.shape[1:3])
  statistics = tone_statistics(y, bins), cell_statistics(y / white, cells)
  return PhotoContext(*statistics, white, rows, columns)
