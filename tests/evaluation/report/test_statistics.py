import math

import numpy as np
import pytest

from expocm_jax.evaluation.report import statistics
from tests.support import report_record

KEY = "psnr_mu/all"
SSIM = "ssim_mu/all"


def one_method(values, *, key=SSIM, scenes=None, seed=3):
  """The entry of one score of one method."""
  record = report_record.make([{"linear": {key: v}} for v in values], scenes=scenes, seed=seed)
  return statistics.summarize(record)["scores"]["headroom"]["linear"][key]


def test_the_interval_is_that_of_a_plain_loop_over_resampled_scenes():
  rng = np.random.default_rng(0)
  values = rng.normal(size=30)
  values[[2, 3, 11]] = np.nan
  scenes = [f"s{i // 3}" if i < 24 else f"t{i}" for i in range(30)]
  entry = one_method(values.tolist(), scenes=scenes)

  names = sorted(set(scenes))
  drawn = []
  for counts in statistics.draw_scenes(scenes, 3, statistics.DRAWS).counts:
    picked = []
    for name, count in zip(names, counts):
      picked += [v for v, s in zip(values, scenes) if s == name and not math.isnan(v)] * int(count)
    drawn.append(sum(picked) / len(picked))
  drawn.sort()
  assert entry["mean"] == pytest.approx(np.nanmean(values))
  assert entry["images"] == 27
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
  draws = statistics.draw_scenes(["b", "a", "b", "c"], 0, 500)
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


def test_missing_scores_are_left_out_and_one_scene_gives_no_interval():
  entry = one_method([None, float("nan"), 0.5, 0.7], scenes=["a", "b", "c", "c"])
  assert entry == {"mean": pytest.approx(0.6), "low": None, "high": None, "images": 2}
  nothing = one_method([None, None])
  assert nothing == {"mean": None, "low": None, "high": None, "images": 0}


def test_a_score_that_few_scenes_have_gets_an_interval_from_the_draws_that_hold_them():
  entry = one_method([0.2, 0.4, *[None] * 10])
  assert (entry["low"], entry["high"]) == pytest.approx((0.2, 0.4))


def test_pooled_decibels_are_those_of_the_error_over_all_pixels():
  rng = np.random.default_rng(3)
  errors = [rng.uniform(0, 0.1 * 3**i, size=20 * (i % 3)) for i in range(6)]
  values = [-10 * math.log10(np.mean(e**2)) if e.size else None for e in errors]
  entry = one_method(values, key="psnr_mu/clipped")
  assert entry["pooled"]["mean"] == pytest.approx(
    -10 * math.log10(np.mean(np.concatenate(errors) ** 2))
  )
  assert entry["pooled"]["low"] < entry["pooled"]["mean"] < entry["pooled"]["high"]
  assert entry["pooled"]["mean"] < entry["mean"]


def test_identical_images_count_as_100_db_and_as_pixels_without_error():
  entry = one_method([math.inf, 20.0, 130.0, 30.0], key=KEY)
  assert entry["mean"] == pytest.approx((100 + 20 + 100 + 30) / 4)
  assert (entry["images"], entry["capped"]) == (4, 2)
  assert entry["pooled"]["mean"] == pytest.approx(-10 * math.log10((1e-2 + 1e-3) / 4), abs=1e-6)
  same = one_method([math.inf, math.inf], key=KEY)
  assert (same["mean"], same["low"]) == (100, 100)
  assert same["pooled"] == {"mean": 100, "low": 100, "high": 100}


def test_paired_differences():
  scores = [
    {"linear": {KEY: 20.0, "delta_e_2000/all": 5.0}, "tiny": {KEY: 23.0, "delta_e_2000/all": 4.0}},
    {"linear": {KEY: 40.0, "delta_e_2000/all": 5.0}, "tiny": {KEY: 39.0, "delta_e_2000/all": 2.0}},
    {"linear": {KEY: math.inf, "delta_e_2000/all": 0.0},
     "tiny": {KEY: math.inf, "delta_e_2000/all": 0.0}},
    {"linear": {KEY: 30.0}, "tiny": {KEY: None, "delta_e_2000/all": 1.0}},
  ]  # fmt: skip
  paired = statistics.summarize(report_record.make(scores))["paired"]
  assert list(paired["headroom"]) == ["tiny"]
  psnr, delta_e = (paired["headroom"]["tiny"][key] for key in (KEY, "delta_e_2000/all"))
  assert (psnr["mean"], psnr["images"]) == (pytest.approx(2 / 3), 3)
  assert psnr["better"] == pytest.approx(1 / 3)
  assert (psnr["low"], psnr["high"]) == (-1, 3)
  assert (delta_e["mean"], delta_e["better"]) == (pytest.approx(-4 / 3), pytest.approx(2 / 3))


def test_no_share_is_better_where_all_images_tie():
  scores = {"linear": {KEY: 20.0, SSIM: None}, "tiny": {KEY: 20.0, SSIM: 0.5}}
  paired = statistics.summarize(report_record.make([scores] * 2))["paired"]["headroom"]["tiny"]
  assert (paired[KEY]["mean"], paired[KEY]["better"], paired[KEY]["images"]) == (0, None, 2)
  assert (paired[SSIM]["better"], paired[SSIM]["images"]) == (None, 0)
  worse = [{"linear": {KEY: 20.0}, "tiny": {KEY: value}} for value in (20.0, 19.0)]
  paired = statistics.summarize(report_record.make(worse))["paired"]["headroom"]["tiny"]
  assert paired[KEY]["better"] == 0


def test_a_note_says_what_the_scale_of_akyuz_is():
  record = report_record.make([{"linear": {KEY: 1.0}, "akyuz": {KEY: 2.0}}])
  assert statistics.AKYUZ_NOTE in statistics.summarize(record)["notes"]
  record["methods"]["akyuz"]["trained"] = True  # some network of that name
  assert statistics.AKYUZ_NOTE not in statistics.summarize(record)["notes"]


def test_pairing_cancels_what_the_images_have_in_common():
  level = np.random.default_rng(4).normal(30, 8, size=40)
  scores = [{"linear": {KEY: x}, "tiny": {KEY: x + 1 + 0.1 * (-1) ** i}}
            for i, x in enumerate(level.tolist())]  # fmt: skip
  summary = statistics.summarize(report_record.make(scores))
  paired = summary["paired"]["headroom"]["tiny"][KEY]
  assert 0.95 < paired["low"] < paired["high"] < 1.05
  score = summary["scores"]["headroom"]["tiny"][KEY]
  assert score["high"] - score["low"] > 4


def test_without_linear_there_are_no_pairs_and_unknown_scores_are_refused():
  record = report_record.make([{"tiny": {KEY: 1.0}}])
  summary = statistics.summarize(record)
  assert summary["paired"] == {}
  assert summary["regions"]["clipped"] == {"share": 0.0, "images": 0}
  assert summary["regions"]["dark"] == {"share": 0.1, "images": 1}
  with pytest.raises(ValueError, match="psnr_xy"):
    statistics.summarize(report_record.make([{"tiny": {"psnr_xy/all": 1.0}}]))
