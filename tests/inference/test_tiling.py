"""Windows by reflection, layouts that cover, noise that depends on the position alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from expocm_jax.inference import tiling


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
  layout = tiling.layout(height, width, radius)
  count = np.zeros((height, width), np.uint8)
  for row, column in layout.corners:
    assert row < height and column < width  # none lies wholly outside
    count[row : row + layout.tile[0], column : column + layout.tile[1]] += 1
  assert (count == 1).all()
  assert radius <= layout.halo < radius + 8
  assert all(side % 8 == 0 for side in layout.window)


def test_small_images_get_small_windows():
  assert tiling.layout(60, 60, 8).window == (80, 80)
  assert tiling.layout(5000, 60, 8).tile == (512, 64)
  assert max(tiling.layout(5000, 5000, 8, max_tile=128).tile) == 128


def test_layout_refuses_what_it_cannot_do():
  with pytest.raises(ValueError, match="0 x 5"):
    tiling.layout(0, 5, 8)
  with pytest.raises(ValueError, match="max_tile"):
    tiling.layout(5, 5, 8, max_tile=100)


def test_window_is_the_reflected_image():
  image = np.random.default_rng(0).random((30, 70, 3), np.float32)
  layout = tiling.layout(30, 70, 10, max_tile=64)
  margin = ((layout.halo, 200), (layout.halo, 200), (0, 0))
  whole = np.pad(image, margin, mode="reflect")
  for row, column in layout.corners:
    expected = whole[row : row + layout.window[0], column : column + layout.window[1]]
    np.testing.assert_array_equal(tiling.cut_window(image, (row, column), layout), expected)


@pytest.fixture(scope="module")
def draw():
  return jax.jit(tiling.noise_window, static_argnums=2)


def test_noise_depends_on_the_position_alone(draw):
  key = jax.random.key(3)
  whole = draw(key, jnp.array([-40, -72], jnp.int32), (160, 160))
  part = draw(key, jnp.array([16, -8], jnp.int32), (48, 72))
  np.testing.assert_array_equal(part, whole[56:104, 64:136])


def test_noise_is_white_and_normal(draw):
  noise = np.asarray(draw(jax.random.key(0), jnp.array([-64, -64], jnp.int32), (160, 160)))
  assert stats.kstest(np.ravel(noise), "norm").pvalue > 1e-3
  spectrum = np.abs(np.fft.fft2(noise, axes=(0, 1))) ** 2 / 160**2  # of white noise: Exp(1)
  assert stats.kstest(np.ravel(spectrum[1:80]), "expon").pvalue > 1e-3
  channels = np.corrcoef(noise.reshape(-1, 3).T) - np.eye(3)
  other = draw(jax.random.key(1), jnp.array([-64, -64], jnp.int32), (160, 160))
  seeds = np.corrcoef(np.ravel(noise), np.ravel(other))[0, 1]
  assert max(np.abs(channels).max(), abs(seeds)) < 0.03  # standard errors of 0.006 and 0.004
