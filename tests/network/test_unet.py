"""The network: sizes, and how far a pixel's value depends on its surroundings."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.method.expocm import Method
from expocm_jax.network import conditioning, unet
from tests.support import small_network

pytestmark = pytest.mark.usefixtures("quick_compiles")
RNG = np.random.default_rng(0)
X, Y = (RNG.random((2, 96, 96, 3), np.float32) for _ in range(2))
T = np.float32([0.3, 0.9])
CONTEXT = conditioning.from_photos(jnp.asarray(Y), lambda ldr: ldr, bins=48, cells=32)


@functools.cache
def network(*, patch):
  """(function of x_t and y; stride; bound on the radius), its parameters random."""
  config = small_network.config(patch=patch)
  params, net = small_network.params(config), Method.from_config(config).network

  @jax.jit
  def call(x_t, y):
    context = CONTEXT._replace(
      rows=CONTEXT.rows[: y.shape[1]], columns=CONTEXT.columns[: y.shape[2]]
    )
    return net.apply({"params": params}, x_t, T, y, context)

  run = lambda *images: np.asarray(call(*images))
  return run, unet.stride((1, 2), patch), unet.receptive_radius((1, 2), 1, patch)


def test_strides():
  assert unet.stride((1, 2, 4, 4), 1) == 8
  assert unet.stride((1, 2, 4), 3) == 12


def test_sides_of_the_stride_suffice():
  run, stride, _ = network(patch=3)
  got = run(X[:, :stride, : 3 * stride], Y[:, :stride, : 3 * stride])
  assert got.shape == (2, stride, 3 * stride, 3) and got.dtype == np.float32
  assert got.std() > 0.05


@pytest.mark.parametrize("patch", [1, 2])
def test_a_pixel_reaches_as_far_as_the_radius_says(patch):
  run, stride, radius = network(patch=patch)
  before, reached = run(X, Y), 0
  for offset in range(stride):  # wherever it lies in a square and on the coarse grid
    place = 48 + offset
    for changed in range(2):
      images = [X.copy(), Y.copy()]
      images[changed][0, place, place] += 1.0
      after = run(*images)
      np.testing.assert_array_equal(after[1], before[1])
      row, column = np.nonzero(np.abs(after[0] - before[0]).max(-1))
      distance = max(np.abs(row - place).max(), np.abs(column - place).max())
      assert distance <= radius
      reached = max(reached, distance)
  assert reached > 0.6 * radius  # a bound, but no wild one
