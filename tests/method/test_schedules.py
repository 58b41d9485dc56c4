import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.method import schedules

KEY = jax.random.key(0)


def test_fixed_steps_never_change():
  np.testing.assert_array_equal(schedules.fixed_steps(jnp.arange(5) * 1000, n=4), [4] * 5)


@pytest.mark.parametrize("n_start, n_end, total", [(2, 150, 800_000), (4, 4, 100), (3, 20, 777)])
def test_original_curriculum_is_the_published_formula(n_start, n_end, total):
  steps = [0, 1, total // 7, total // 3, total // 2, total - 1]
  expected = [
    math.ceil(math.sqrt(k / total * ((n_end + 1) ** 2 - n_start**2) + n_start**2) - 1) + 1
    for k in steps
  ]
  got = schedules.original_steps(jnp.array(steps), total=total, n_start=n_start, n_end=n_end)
  np.testing.assert_array_equal(got, expected)
  assert expected[0] == n_start and got.dtype == jnp.int32


def test_improved_curriculum_doubles_as_published():
  total = 400_000
  period = 400_000 // 8  # log2(1280 / 10) + 1 = 8 stages
  table = [11, 21, 41, 81, 161, 321, 641, 1281]
  for offset in (0, period - 1):
    got = schedules.improved_steps(
      jnp.arange(8) * period + offset, total=total, n_start=10, n_end=1280
    )
    np.testing.assert_array_equal(got, table)


def test_improved_curriculum_stays_at_its_end_however_long_the_run():
  late = jnp.array([400_000, 4_000_000, 2**31 - 1])
  got = schedules.improved_steps(late, total=400_000, n_start=10, n_end=1280)
  np.testing.assert_array_equal(got, [1281] * 3)
  # Here the end is no power of two times the start.
  got = schedules.improved_steps(jnp.arange(6), total=4, n_start=3, n_end=20)
  np.testing.assert_array_equal(got, [4, 7, 13, 21, 21, 21])


def test_continuous_ratio_halves_the_gap():
  got = schedules.continuous_ratio(jnp.arange(7) * 25, total=100, doublings=3)
  np.testing.assert_array_equal(got, [0, 0.5, 0.75, 0.875, 0.875, 0.875, 0.875])


def test_target_rate_is_the_published_formula():
  n = np.array([2, 10, 150])
  got = schedules.target_rate(jnp.asarray(n), n_start=2, initial=0.9)
  np.testing.assert_allclose(got, np.exp(2 * np.log(0.9) / n), rtol=1e-6)
  np.testing.assert_allclose(got[0], 0.9, rtol=1e-6)  # mu(0) = mu0


@pytest.mark.parametrize("n", [2, 4, 11])
def test_discrete_pairs_are_neighbours_on_the_grid_and_all_occur(n):
  t, t_prev = schedules.discrete_pairs(KEY, 500, jnp.int32(n))
  assert t.dtype == t_prev.dtype == jnp.float32 and t.shape == (500,)
  index = np.round(np.asarray(t) * (n - 1))
  np.testing.assert_allclose(t, index / (n - 1), rtol=1e-6)
  np.testing.assert_allclose(t_prev, (index - 1) / (n - 1), rtol=1e-6)
  counts = np.bincount(index.astype(int), minlength=n)
  assert len(counts) == n and counts[0] == 0 and counts[1:].min() > 250 / (n - 1)
  assert t.max() == 1 and t_prev.min() == 0  # exactly, for the boundary condition


def test_continuous_pairs_keep_the_ratio():
  t, t_prev = schedules.continuous_pairs(KEY, 500, jnp.float32(0.75))
  assert 0 < t.min() < 0.1 and 0.9 < t.max() <= 1
  np.testing.assert_allclose(t_prev, 0.75 * np.float64(t), rtol=1e-6)
  np.testing.assert_array_equal(schedules.continuous_pairs(KEY, 5, jnp.float32(0))[1], 0)


def test_draws_depend_on_the_key_alone():
  first, again = (schedules.discrete_pairs(KEY, 64, jnp.int32(9)) for _ in range(2))
  np.testing.assert_array_equal(first, again)
  other = schedules.discrete_pairs(jax.random.key(1), 64, jnp.int32(9))
  assert np.any(np.not_equal(first, other))


@pytest.mark.parametrize("batch, fraction", [(16, 0.5), (16, 0.34), (4, 0.25), (10, 0.1), (7, 0.9)])
def test_the_anchored_share_is_exact_to_one_record(batch, fraction):
  t, t_prev = jnp.full(batch, 0.6), jnp.full(batch, 0.4)
  got, got_prev = (np.asarray(a) for a in schedules.anchor_pairs(t, t_prev, fraction=fraction))
  anchored = got == 1
  np.testing.assert_array_equal(got_prev[anchored], 0)
  np.testing.assert_array_equal(got[~anchored], np.float32(0.6))
  np.testing.assert_array_equal(got_prev[~anchored], np.float32(0.4))
  assert abs(anchored.sum() - fraction * batch) < 1
  half = anchored[: batch // 2].sum(), anchored[batch - batch // 2 :].sum()
  assert abs(half[0] - half[1]) <= 1  # spread over the devices


def test_the_anchored_share_can_be_nothing_or_everything():
  t, t_prev = jnp.full(8, 0.6), jnp.full(8, 0.4)
  np.testing.assert_array_equal(schedules.anchor_pairs(t, t_prev, fraction=0.0), (t, t_prev))
  np.testing.assert_array_equal(
    schedules.anchor_pairs(t, t_prev, fraction=1.0), (np.ones(8), np.zeros(8))
  )


def test_inference_starts_at_one_and_descends_evenly():
  assert schedules.inference_times(1) == (1.0,)
  np.testing.assert_allclose(schedules.inference_times(4), [1, 0.75, 0.5, 0.25])
