import math

import numpy as np
import pytest

from expocm_jax.evaluation.report import bootstrap


def one_method(values, *, scenes=None, seed=3):
  """The mean of one score and its interval."""
  groups = scenes or [f"scene {i}" for i in range(len(values))]
  draws = bootstrap.draw_groups(groups, seed=seed, draws=bootstrap.DRAWS)
  stats = bootstrap.mean(np.array(values, float), draws)
  return dict(zip(("mean", "low", "high"), stats.tolist(), strict=True))


def test_the_interval_is_that_of_a_plain_loop_over_resampled_scenes():
  rng = np.random.default_rng(0)
  values = rng.normal(size=30)
  values[[2, 3, 11]] = np.nan
  scenes = [f"s{i // 3}" if i < 24 else f"t{i}" for i in range(30)]
  entry = one_method(values.tolist(), scenes=scenes)

  names = sorted(set(scenes))
  drawn = []
  for counts in bootstrap.draw_groups(scenes, seed=3, draws=bootstrap.DRAWS).counts:
    picked = []
    for name, count in zip(names, counts):
      picked += [v for v, s in zip(values, scenes) if s == name and not math.isnan(v)] * int(count)
    drawn.append(sum(picked) / len(picked))
  drawn.sort()
  assert entry["mean"] == pytest.approx(np.nanmean(values))
  # 2000 draws: 2.5 % lies between the 50th and 51st, 97.5 % between the 1950th and 1951st.
  assert drawn[49] <= entry["low"] <= drawn[50]
  assert drawn[1949] <= entry["high"] <= drawn[1950]


def test_the_interval_of_normal_values_is_two_standard_errors_wide():
  values = np.random.default_rng(1).normal(5.0, 2.0, size=400)
  entry = one_method(values.tolist())
  error = values.std() / math.sqrt(400)
  assert entry["low"] == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
  assert entry["high"] == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_scenes_are_drawn_with_replacement_as_many_as_there_are():
  draws = bootstrap.draw_groups(["b", "a", "b", "c"], seed=0, draws=500)
  assert draws.counts.shape == (500, 3)
  np.testing.assert_array_equal(draws.counts.sum(axis=1), 3)
  assert draws.counts.max() == 3
  np.testing.assert_array_equal(draws.membership, [[0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]])


def test_more_views_of_the_same_scenes_do_not_narrow_the_interval():
  values = np.random.default_rng(2).normal(size=12).tolist()
  scenes = [f"s{i:02}" for i in range(12)]
  once = one_method(values, scenes=scenes)
  often = one_method(values * 4, scenes=scenes * 4)
  assert [often[n] for n in ("mean", "low", "high")] == pytest.approx(
    [once[n] for n in ("mean", "low", "high")]
  )
  apart = one_method(values * 4)
  assert apart["high"] - apart["low"] < 0.7 * (once["high"] - once["low"])


def test_the_seed_alone_decides_the_interval():
  values = [1.0, 2.0, 4.0, 8.0, 16.0]
  assert one_method(values) == one_method(values)
  assert one_method(values)["low"] <= one_method(values, seed=4)["high"]
  wide = one_method(np.random.default_rng(0).normal(size=50).tolist(), seed=4)
  assert wide != one_method(np.random.default_rng(0).normal(size=50).tolist())


def test_a_score_that_few_scenes_have_gets_an_interval_from_the_draws_that_hold_them():
  entry = one_method([0.2, 0.4, *[None] * 10])
  assert (entry["low"], entry["high"]) == pytest.approx((0.2, 0.4))
