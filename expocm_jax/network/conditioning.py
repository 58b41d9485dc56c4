"""What the network is told of the whole photo when it sees a part of it.

Beside y that is all that the tone curve and the tone grid depend on. One code takes the statistics,
of integer code values, in the array's own namespace: photos of any size on the host (numpy, a band
of rows at a time, sums in float64), and crops under jit (JAX, float32).
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from expocm_jax.network.tone_curve import Array, tone_statistics, tone_sums
from expocm_jax.network.tone_grid import cell_statistics, cell_weights


class PhotoContext(NamedTuple):
  """Statistics of whole photos, and where in them a part lies."""

  tone: jax.Array  # [B, 6, bins], `tone_curve.tone_statistics`
  cells: jax.Array  # [B, n, n, 3 * knots], `tone_grid.cell_statistics`
  white: jax.Array  # [], y where the photo clips
  rows: jax.Array  # [H] in [0, 1], where the part's rows lie in the photos
  columns: jax.Array  # [W] in [0, 1], its columns


def pixel_centres(size: int) -> np.ndarray:
  """Where the centres of `size` pixels lie on a line of length one: [size] in (0, 1)."""
  return (np.arange(size, dtype=np.float32) + 0.5) / size


def values_of_codes(encode: Callable[[jax.Array], jax.Array], codes: int) -> jax.Array:
  """y of each of so many codes, the last of which is white: [codes] float32.

  `encode` takes a display-referred LDR [..., 3] in [0, 1] to y.
  """
  grey = np.arange(codes, dtype=np.float32)[:, None] / np.float32(codes - 1)
  return jnp.asarray(encode(np.repeat(grey, 3, axis=1)))[:, 0]


def photo_statistics(
  bands: Iterable[Array], shape: tuple[int, int], y: Array, *, bins: int, cells: int
) -> tuple[Array, Array]:
  """The `tone` [6, bins] and the `cells` [n, n, 3 * knots] of one photo, float32.

  Args:
    bands: codes [h, W, 3] of consecutive rows, unsigned integers below N.
    shape: (H, W) of the photo.
    y: [N] float32, y of each code.
    bins: of the tone statistics; 0 gives an empty array.
    cells: along either side; 0 gives an empty array.
  """
  down, across = (cell_weights(size, cells) for size in shape)
  sums = means = first = 0
  for codes in bands:
    rows = slice(first, first + codes.shape[0])
    sums += tone_sums(codes, y)
    means += cell_statistics(codes, y / y[-1], down[:, rows], across)
    first = rows.stop
  return tone_statistics(sums, y, bins), means.astype(np.float32)


def from_photos(
  ldr: jax.Array, encode: Callable[[jax.Array], jax.Array], *, bins: int, cells: int
) -> PhotoContext:
  """The context of photos that are seen as wholes; training counts crops of pairs as such.

  Args:
    ldr: [B, H, W, 3] in [0, 1]; its statistics are those of its nearest 8-bit codes.
    encode: as of `values_of_codes`.
    bins, cells: as of `photo_statistics`.
  """
  y, shape = values_of_codes(encode, 256), ldr.shape[1:3]

  def of_one(codes: jax.Array) -> tuple[Array, Array]:
    return photo_statistics([codes], shape, y, bins=bins, cells=cells)

  with jax.default_matmul_precision("highest"):  # accelerators would round the counts
    tone, grid = jax.vmap(of_one)(jnp.round(ldr * 255.0).astype(jnp.uint8))
  return PhotoContext(tone, grid, y[-1], *map(pixel_centres, shape))
