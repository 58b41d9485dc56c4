import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.method import distances
from expocm_jax.method.masks import ExposureMasks

SHAPE = (2, 6, 7, 3)
RNG = np.random.default_rng(0)
LDR, TARGET = (RNG.uniform(0, 1, SHAPE).astype(np.float32) for _ in range(2))
PREDICTION = (TARGET + RNG.normal(0, 0.1, SHAPE)).astype(np.float32)  # some out of gamut
WEIGHTS = RNG.dirichlet([0.5, 0.5, 0.5], SHAPE[:-1]).astype(np.float32)
SHARES = (0.2, 0.2, 0.6)
MASKS = ExposureMasks(*(WEIGHTS[..., i : i + 1] for i in range(3)))


def test_distances_match_numpy():
  d = np.float64(PREDICTION) - TARGET
  axes, values = (1, 2, 3), np.prod(SHAPE[1:])
  c = 0.00054 * np.sqrt(values)
  expected = {
    "l2": (d**2).mean(axes),
    "charbonnier": np.sqrt(d**2 + 1e-6).mean(axes),
    "pseudo_huber": (np.sqrt((d**2).sum(axes) + c**2) - c) / np.sqrt(values),
  }
  assert set(expected) == set(distances.DISTANCES)
  for name, distance in distances.DISTANCES.items():
    got = jax.jit(distance)(PREDICTION, TARGET)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, expected[name], rtol=2e-5, err_msg=name)


@pytest.mark.parametrize("name", distances.DISTANCES)
def test_distances_have_finite_gradients_for_identical_images(name):
  gradient = jax.jit(jax.grad(lambda x: distances.DISTANCES[name](x, TARGET).sum()))(TARGET)
  np.testing.assert_array_equal(gradient, np.zeros(SHAPE))


def regional64(prediction, target, masks, shares):
  square = (np.float64(prediction) - target) ** 2
  sizes = [np.float64(mask).mean((1, 2, 3)) for mask in masks]
  errors = [np.mean(mask * square, (1, 2, 3)) / size for mask, size in zip(masks, sizes)]
  roots = [np.sqrt(error + 0.00054**2) - 0.00054 for error in errors]
  weights = [share * size / (size + 1e-3) for share, size in zip(shares, sizes)]
  return np.average(roots, axis=0, weights=weights)


def one_region(name):
  """Masks of an image that lies wholly in a region."""
  fields = ExposureMasks._fields
  return ExposureMasks(*(np.full((2, 6, 7, 1), name == field, np.float32) for field in fields))


@pytest.mark.parametrize("shares", [(0.2, 0.2, 0.6), (2.0, 0.0, 1.0)])
def test_the_regional_distance_matches_numpy(shares):
  got = jax.jit(functools.partial(distances.regional_huber, shares=shares))(
    PREDICTION, TARGET, MASKS
  )
  assert got.dtype == jnp.float32
  np.testing.assert_allclose(got, regional64(PREDICTION, TARGET, MASKS, shares), rtol=2e-5)


def test_regions_count_by_their_share_not_by_their_size():
  small = ExposureMasks(*(np.zeros((2, 6, 7, 1), np.float32) for _ in range(3)))
  small.over[:, 0, 0] = 1.0
  small.good[...] = 1.0 - small.over
  wrong = np.where(small.over > 0, TARGET + np.float32(0.1), TARGET)
  got = distances.regional_huber(wrong, TARGET, small, shares=SHARES)
  # One pixel of 42, a little faded; none is dark, so the two others share the weight.
  np.testing.assert_allclose(got, 0.1 * 0.2 / (0.2 + 0.6), rtol=0.04)
  for name in ExposureMasks._fields:
    whole = distances.regional_huber(
      TARGET + np.float32(0.1), TARGET, one_region(name), shares=SHARES
    )
    np.testing.assert_allclose(whole, 0.1, rtol=0.01)


@pytest.mark.parametrize("region", ExposureMasks._fields)
def test_the_regional_distance_has_finite_gradients(region):
  """For identical images, and where two regions have no pixel."""
  total = lambda x: distances.regional_huber(x, TARGET, one_region(region), shares=SHARES).sum()
  gradient = jax.jit(jax.grad(total))
  np.testing.assert_array_equal(gradient(TARGET), np.zeros(SHAPE))
  assert np.isfinite(gradient(PREDICTION)).all()
