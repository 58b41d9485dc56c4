"""The noise of inference: a function of seed and pixel position, so that no tile shows."""

import jax
import jax.numpy as jnp
from jax import Array


def noise_window(key: Array, origin: Array, shape: tuple[int, int]) -> Array:
  """Standard normal noise [rows, columns, 3] of the window whose top left pixel is `origin`.

  Windows that overlap agree where they do. `origin` is int32 [2], a row and a column of the image;
  it may be traced, and negative.
  """
  rows, columns = (
    origin[axis].astype(jnp.uint32) + jnp.arange(shape[axis], dtype=jnp.uint32) for axis in (0, 1)
  )

  def pixel(row_key: Array, column: Array) -> Array:
    return jax.random.normal(jax.random.fold_in(row_key, column), (3,), jnp.float32)

  row_keys = jax.vmap(jax.random.fold_in, (None, 0))(key, rows)
  return jax.vmap(jax.vmap(pixel, (None, 0)), (0, None))(row_keys, columns)
