"""Levels by cell and the grid of curves, against float64 loops, scipy and their properties."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage
from scipy.interpolate import RegularGridInterpolator

from expocm_jax.network import conditioning, tone_grid
from expocm_jax.network.conditioning import pixel_centres
from expocm_jax.network.tone_grid import KNOTS, ToneGrid


@functools.partial(jax.jit, static_argnums=1)
def statistics(photos, cells):
  return conditioning.from_photos(photos, lambda ldr: ldr, bins=0, cells=cells).cells


slice_grid = jax.jit(tone_grid.slice_grid)
RNG = np.random.default_rng(0)
PHOTOS = RNG.random((2, 11, 7, 3), np.float32) ** np.float32(0.2)  # many near white
PHOTOS = np.rint(255 * PHOTOS) / np.float32(255)


def statistics64(photo, cells):
  """Cell by cell: the overlap with each pixel, and of its level the share of each knot."""
  found = np.zeros((cells, cells, len(KNOTS), 3))
  (height, width), photo = photo.shape[:2], np.float64(photo)
  for i, j in np.ndindex(cells, cells):
    for row, column in np.ndindex(height, width):
      down = min((i + 1) * height / cells, row + 1) - max(i * height / cells, row)
      across = min((j + 1) * width / cells, column + 1) - max(j * width / cells, column)
      if min(down, across) <= 0:
        continue
      share = down * across / (height * width / cells**2)
      for channel, level in enumerate(photo[row, column]):
        found[i, j, :, channel] += share * np.array(
          [np.interp(level, KNOTS, one) for one in np.eye(len(KNOTS))]
        )
  return found.reshape(cells, cells, -1)


@pytest.mark.parametrize("cells", [1, 4, 12])  # larger than a pixel, and smaller
def test_agrees_with_the_reference(cells):
  got = statistics(PHOTOS, cells)
  assert got.shape == (2, cells, cells, 3 * len(KNOTS)) and got.dtype == np.float32
  np.testing.assert_allclose(got, [statistics64(p, cells) for p in PHOTOS], atol=1e-5)


def test_the_weights_interpolate():
  levels = np.linspace(0, 1, 77, dtype=np.float32)
  weights = np.stack([tone_grid.level_weight(levels, n) for n in tone_grid.NEIGHBOURHOODS], -1)
  np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
  np.testing.assert_allclose(weights @ np.float32(KNOTS), levels, atol=1e-5)
  assert (weights > 0).sum(-1).max() == 2 and weights.min() == 0


@pytest.mark.parametrize("size", [1, 5, 32, 50])
def test_a_cell_is_a_mean_and_no_pixel_counts_more_than_another(size):
  weights = tone_grid.cell_weights(size, 32)
  np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)
  np.testing.assert_allclose(weights.sum(0), 32 / size, rtol=1e-5)


def test_shares_sum_to_one_at_the_ends_too():
  for photos in (PHOTOS, np.zeros_like(PHOTOS), np.ones_like(PHOTOS)):
    shares = np.asarray(statistics(photos, 4)).reshape(2, 4, 4, len(KNOTS), 3)
    np.testing.assert_allclose(shares.sum(3), 1, atol=1e-5)


def test_the_size_of_a_photo_does_not_matter():
  larger = PHOTOS.repeat(3, axis=1).repeat(2, axis=2)
  np.testing.assert_allclose(statistics(larger, 8), statistics(PHOTOS, 8), atol=1e-5)


def test_no_cells():
  assert statistics(PHOTOS, 0).shape == (2, 0, 0, 3 * len(KNOTS))


GRID = RNG.standard_normal((2, 4, 5, 3 * len(KNOTS))).astype(np.float32)
ROWS, COLUMNS = pixel_centres(11), pixel_centres(7)


def test_the_grid_is_interpolated_between_places_and_levels():
  got = np.asarray(slice_grid(GRID, PHOTOS, ROWS, COLUMNS))
  axes = np.arange(4), np.arange(5), KNOTS
  place = lambda size, parts: np.clip((np.arange(size) + 0.5) * parts / size - 0.5, 0, parts - 1)
  rows, columns = np.meshgrid(place(11, 4), place(7, 5), indexing="ij")
  for photo in range(2):
    heights = np.float64(GRID[photo]).reshape(4, 5, len(KNOTS), 3)
    for channel in range(3):
      curve = RegularGridInterpolator(axes, heights[..., channel])
      expected = curve(np.stack([rows, columns, PHOTOS[photo, ..., channel]], -1))
      np.testing.assert_allclose(got[photo, ..., channel], expected, atol=2e-5)


def test_smoothing_is_a_binomial_of_both_sides():
  kernel = np.array([1, 4, 6, 4, 1]) / 16
  expected = np.float64(GRID)
  for axis in (1, 2):
    expected = ndimage.correlate1d(expected, kernel, axis=axis, mode="nearest")
  np.testing.assert_allclose(tone_grid.binomial_blur(GRID), expected, atol=1e-6)
  flat = np.ones_like(GRID)
  np.testing.assert_allclose(tone_grid.binomial_blur(flat), flat, atol=1e-6)


def test_a_mirrored_grid_gives_the_mirror_image():
  got = slice_grid(GRID[:, ::-1, ::-1], PHOTOS[:, ::-1, ::-1], ROWS, COLUMNS)
  expected = slice_grid(GRID, PHOTOS, ROWS, COLUMNS)[:, ::-1, ::-1]
  np.testing.assert_allclose(got, expected, atol=1e-5)


def test_accelerators_must_not_round():
  args = GRID, PHOTOS, ROWS, COLUMNS
  for program in (statistics.lower(PHOTOS, 8), slice_grid.lower(*args)):
    products = [line for line in program.as_text().splitlines() if "dot_general" in line]
    assert len(products) > 1
    assert all("HIGHEST" in line for line in products)


def test_a_part_of_a_photo_gets_the_part_of_the_whole():
  entire = slice_grid(GRID, PHOTOS, ROWS, COLUMNS)
  part = slice_grid(GRID, PHOTOS[:, 3:8, 2:], ROWS[3:8], COLUMNS[2:])
  np.testing.assert_allclose(part, entire[:, 3:8, 2:], atol=1e-6)


def test_the_gradient_is_that_of_a_linear_map():
  """The result is linear in the grid, so its gradient gives the result back."""
  weights = RNG.standard_normal(PHOTOS.shape).astype(np.float32)
  total = lambda grid: (weights * slice_grid(grid, PHOTOS, ROWS, COLUMNS)).sum()
  gradient = jax.jit(jax.grad(total))(GRID)
  np.testing.assert_allclose((gradient * GRID).sum(), total(GRID), rtol=1e-4)


def test_memory_is_a_few_times_that_of_the_photos():
  """The weights of all knots at once would take six times the photos, and their product again."""
  photos = jax.ShapeDtypeStruct((4, 128, 128, 3), np.float32)
  grid = jax.ShapeDtypeStruct((4, 16, 16, 3 * len(KNOTS)), np.float32)
  places = jax.ShapeDtypeStruct((128,), np.float32)
  gradient = jax.grad(lambda g, *arrays: (tone_grid.slice_grid(g, *arrays) ** 2).sum())
  compiled = [
    statistics.lower(photos, 32).compile(),
    jax.jit(gradient).lower(grid, photos, places, places).compile(),
  ]
  for program in compiled:
    assert program.memory_analysis().temp_size_in_bytes < 4 * 4 * np.prod(photos.shape)


EMBEDDING = np.ones((2, 4), np.float32)
CELLS = RNG.random((2, 8, 8, 3 * len(KNOTS)), np.float32)
FLAT = np.full((2, 16, 16, 3), 0.3, np.float32)


@pytest.fixture(scope="module")
def network():
  """(function of parameters, levels, cells, rows, columns; initial and random parameters)."""
  grid = ToneGrid(4, jnp.float32)
  args = FLAT, CELLS, pixel_centres(16), pixel_centres(16), EMBEDDING
  start = jax.jit(grid.init)(jax.random.key(0), *args)
  rng = np.random.default_rng(2)
  params = jax.tree.map(lambda p: rng.standard_normal(p.shape, np.float32), start)
  return jax.jit(lambda params, *args: grid.apply(params, *args, EMBEDDING)), start, params


def test_a_tone_grid_has_a_curve_for_each_place(network, quick_compiles):
  call, start, params = network
  rows, columns = pixel_centres(16), pixel_centres(16)
  np.testing.assert_array_equal(call(start, FLAT, CELLS, rows, columns), 0)  # at first
  got = np.asarray(call(params, FLAT, CELLS, rows, columns))
  assert np.ptp(got, axis=(1, 2)).min() > 1e-3  # one level, other values at other places
  inner = call(params, FLAT[:, 5:9, 12:], CELLS, rows[5:9], columns[12:])
  np.testing.assert_allclose(inner, got[:, 5:9, 12:], atol=1e-5)


def test_the_cells_of_a_photo_count_everywhere_and_alike(network, quick_compiles):
  call, _, params = network
  photos = RNG.random((2, 12, 18, 3), np.float32)
  cells = RNG.random((2, 32, 32, 3 * len(KNOTS)), np.float32)
  changed = cells.copy()
  changed[0, 31, 31] = 0
  got, after = (
    np.asarray(call(params, photos, c, pixel_centres(12), pixel_centres(18)))
    for c in (cells, changed)
  )
  assert (after[0] != got[0]).mean() > 0.9  # what lies in a corner is known everywhere
  np.testing.assert_array_equal(after[1], got[1])


def test_a_tone_grid_favours_no_direction(network, quick_compiles):
  """Mirrored cells and kernels give the mirror image, left and right."""
  call, _, params = network
  # Folded squares of two by two places: left and right change among the input's channels too.
  mirror = lambda path, p: p[:, ::-1] if p.ndim == 4 and p.shape[0] == 3 else p
  flipped = jax.tree_util.tree_map_with_path(mirror, params)
  for name, channels in (("Conv_0", 20), ("Conv_1", 4)):
    kernel = flipped["params"][name]["kernel"]
    squares = kernel.reshape(*kernel.shape[:2], 2, 2, channels, -1)[:, :, :, ::-1]
    flipped["params"][name]["kernel"] = squares.reshape(kernel.shape)
  places = pixel_centres(16), pixel_centres(16)
  got = np.asarray(call(params, FLAT, CELLS, *places))
  other = np.asarray(call(flipped, FLAT, CELLS[:, :, ::-1], *places))
  np.testing.assert_allclose(other, got[:, :, ::-1], atol=1e-4)
  assert np.abs(other - got).max() > 0.01
