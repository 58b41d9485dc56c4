"""Windows by reflection, layouts that cover."""

import numpy as np
import pytest

from expocm_jax.inference import tiling

OPTIONS = {"stride": 8, "max_tile": 512}


@pytest.mark.parametrize("size, margin", [(2, 1), (7, 6), (40, 13), (3, 2)])
def test_reflection_is_numpys(size, margin):
  line = np.arange(size)
  indices = tiling.reflect_indices(-margin, size + margin, size)
  np.testing.assert_array_equal(line[indices], np.pad(line, margin, mode="reflect"))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_reflection_goes_on_without_limit(size):
  far = tiling.reflect_indices(-50, 50, size)
  assert far.min() == 0 and far.max() == size - 1
  np.testing.assert_array_equal(far[50 : 50 + size], np.arange(size))
  np.testing.assert_array_equal(far[1:51], far[50:100][::-1])  # mirrored about position 0


@pytest.mark.parametrize(
  "height, width, radius", [(1, 1, 3), (130, 61, 71), (700, 1900, 120), (1, 100_000, 64)]
)
def test_tiles_cover_every_pixel_once(height, width, radius):
  layout = tiling.layout(height, width, radius, **OPTIONS)
  count = np.zeros((height, width), np.uint8)
  for row, column in layout.corners:
    assert row < height and column < width  # none lies wholly outside
    count[row : row + layout.tile[0], column : column + layout.tile[1]] += 1
  assert (count == 1).all()
  assert radius <= layout.halo < radius + 8
  assert all(side % 8 == 0 for side in layout.window)


def test_small_images_get_small_windows():
  assert tiling.layout(60, 60, 8, **OPTIONS).window == (80, 80)
  assert tiling.layout(5000, 60, 8, **OPTIONS).tile == (512, 64)
  assert max(tiling.layout(5000, 5000, 8, stride=8, max_tile=128).tile) == 128


def test_layout_refuses_what_it_cannot_do():
  with pytest.raises(ValueError, match="max_tile"):
    tiling.layout(5, 5, 8, stride=8, max_tile=100)
  with pytest.raises(ValueError, match="stride of 12"):
    tiling.layout(5, 5, 8, stride=12, max_tile=64)


def test_window_is_the_reflected_image():
  image = np.random.default_rng(0).random((30, 70, 3), np.float32)
  layout = tiling.layout(30, 70, 10, stride=8, max_tile=64)
  margin = ((layout.halo, 200), (layout.halo, 200), (0, 0))
  padded = np.pad(image, margin, mode="reflect")
  for row, column in layout.corners:
    expected = padded[row : row + layout.window[0], column : column + layout.window[1]]
    window = image[np.ix_(*layout.window_indices((row, column)))]
    np.testing.assert_array_equal(window, expected)
