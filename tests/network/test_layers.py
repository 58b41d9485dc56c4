"""Squares of pixels folded into channels, and the curves of a photo and of its places."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.network import layers, photo_context

pytestmark = pytest.mark.usefixtures("quick_compiles")
RNG = np.random.default_rng(2)
IMAGES = np.random.default_rng(0).random((2, 12, 18, 5), np.float32)


@pytest.mark.parametrize("patch", [1, 2, 3])
def test_fold_reads_a_square_row_by_row(patch):
  folded = np.asarray(layers.fold(IMAGES, patch))
  assert folded.shape == (2, 12 // patch, 18 // patch, 5 * patch**2)
  for row in range(patch):
    for column in range(patch):
      first = 5 * (row * patch + column)
      part = IMAGES[:, row::patch, column::patch]
      np.testing.assert_array_equal(folded[..., first : first + 5], part)


@pytest.mark.parametrize("patch", [1, 2, 3])
def test_unfold_is_its_inverse(patch):
  np.testing.assert_array_equal(layers.unfold(layers.fold(IMAGES, patch), patch), IMAGES)
  coarse = np.random.default_rng(1).random((2, 4, 6, 3 * patch**2), np.float32)
  image = layers.unfold(coarse, patch)
  assert image.shape == (2, 4 * patch, 6 * patch, 3)
  np.testing.assert_array_equal(layers.fold(image, patch), coarse)


def test_a_tone_curve_joins_its_knots_and_depends_on_the_statistics_alone():
  statistics = RNG.dirichlet(np.ones(8), (2, 6)).astype(np.float32)
  curve = layers.ToneCurve(features=6, knots=5)
  start = curve.init(jax.random.key(0), IMAGES[..., :3], statistics)
  draw = lambda p: np.asarray(RNG.standard_normal(p.shape), np.float32)
  params = jax.tree.map(draw, start)
  got = np.asarray(curve.apply(params, IMAGES[..., :3], statistics))
  knots = np.broadcast_to(np.linspace(0, 1, 5, dtype=np.float32)[None, :, None, None], (2, 5, 1, 3))
  heights = np.asarray(curve.apply(params, knots, statistics))[:, :, 0]
  assert np.abs(heights[0] - heights[1]).min() > 1e-4  # two photos, two curves
  for photo in range(2):
    for channel in range(3):
      expected = np.interp(
        IMAGES[photo, ..., channel], np.linspace(0, 1, 5), heights[photo, :, channel]
      )
      np.testing.assert_allclose(got[photo, ..., channel], expected, atol=1e-5)
  at_first = curve.apply(start, IMAGES[..., :3], statistics)
  np.testing.assert_array_equal(at_first, 0)


def test_a_tone_grid_has_a_curve_for_each_place_from_the_cells_of_the_whole_photo():
  photos = RNG.random((2, 16, 16, 3), np.float32)
  context = photo_context.whole(jnp.asarray(photos), jnp.float32(1), bins=0, cells=8)
  grid, embedding = layers.ToneGrid(4, jnp.float32), np.ones((2, 4), np.float32)
  start = jax.jit(grid.init)(jax.random.key(0), photos, context, embedding)
  params = jax.tree.map(lambda p: np.asarray(RNG.standard_normal(p.shape), np.float32), start)
  call = jax.jit(grid.apply)
  np.testing.assert_array_equal(call(start, photos, context, embedding), 0)  # at first
  flat = np.full_like(photos, 0.3)
  got = np.asarray(call(params, flat, context, embedding))
  assert np.ptp(got, axis=(1, 2)).min() > 1e-3  # one level, other values at other places
  part = context._replace(rows=context.rows[5:9], columns=context.columns[12:])
  inner = call(params, flat[:, 5:9, 12:], part, embedding)
  np.testing.assert_allclose(inner, got[:, 5:9, 12:], atol=1e-5)


def test_the_cells_of_a_whole_photo_count_everywhere_and_alike():
  grid, photos, embedding = layers.ToneGrid(4, jnp.float32), IMAGES[..., :3], np.ones((2, 4))
  embedding = embedding.astype(np.float32)
  context = photo_context.whole(jnp.asarray(photos), jnp.float32(1), bins=0, cells=32)
  context = context._replace(cells=jnp.asarray(RNG.random(context.cells.shape, np.float32)))
  start = jax.eval_shape(grid.init, jax.random.key(0), photos, context, embedding)
  params = jax.tree.map(lambda p: np.asarray(RNG.standard_normal(p.shape), np.float32), start)
  call = jax.jit(grid.apply)
  got = np.asarray(call(params, photos, context, embedding))
  changed = context._replace(cells=context.cells.at[0, 31, 31].set(0.0))
  after = np.asarray(call(params, photos, changed, embedding))
  assert (after[0] != got[0]).mean() > 0.9  # what lies in a corner is known everywhere
  np.testing.assert_array_equal(after[1], got[1])


def test_a_tone_grid_favours_no_direction():
  """Mirrored cells and kernels give the mirror image, left and right."""
  grid, embedding = layers.ToneGrid(4, jnp.float32), np.ones((2, 4), np.float32)
  flat = np.full((2, 16, 16, 3), 0.5, np.float32)
  context = photo_context.whole(jnp.asarray(flat), jnp.float32(1), bins=0, cells=8)
  context = context._replace(cells=jnp.asarray(RNG.random(context.cells.shape, np.float32)))
  start = jax.eval_shape(grid.init, jax.random.key(0), flat, context, embedding)
  params = jax.tree.map(lambda p: np.asarray(RNG.standard_normal(p.shape), np.float32), start)
  # Folded squares of two by two places: left and right change among the input's channels too.
  mirror = lambda path, p: p[:, ::-1] if p.ndim == 4 and p.shape[0] == 3 else p
  flipped = jax.tree_util.tree_map_with_path(mirror, params)
  for name, channels in (("Conv_0", 20), ("Conv_1", 4)):
    kernel = flipped["params"][name]["kernel"]
    squares = kernel.reshape(*kernel.shape[:2], 2, 2, channels, -1)[:, :, :, ::-1]
    flipped["params"][name]["kernel"] = squares.reshape(kernel.shape)
  got = grid.apply(params, flat, context, embedding)
  other = grid.apply(flipped, flat, context._replace(cells=context.cells[:, :, ::-1]), embedding)
  np.testing.assert_allclose(other, np.asarray(got)[:, :, ::-1], atol=1e-4)
  assert np.abs(np.asarray(other) - got).max() > 0.01
