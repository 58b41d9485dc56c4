import math

import numpy as np
import pytest

from expocm_jax.evaluation.report import statistics
from tests.support import report_record

KEY = "psnr_mu/all"
SSIM = "ssim_mu/all"


def summary_of(record):
  """Of a record of one camera."""
  (summary,) = statistics.summarize(record)["cameras"].values()
  return summary


def one_method(values, *, key=SSIM, scenes=None):
  """The entry of one score of one method."""
  record = report_record.make([{"linear": {key: v}} for v in values], scenes=scenes)
  return summary_of(record)["scores"]["headroom"]["linear"][key]


def test_missing_scores_are_left_out_and_one_scene_gives_no_interval():
  entry = one_method([None, float("nan"), 0.5, 0.7], scenes=["a", "b", "c", "c"])
  assert entry == {"mean": pytest.approx(0.6), "low": None, "high": None, "images": 2}
  nothing = one_method([None, None])
  assert nothing == {"mean": None, "low": None, "high": None, "images": 0}


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
  paired = summary_of(report_record.make(scores))["paired"]
  assert list(paired["headroom"]) == ["tiny"]
  psnr, delta_e = (paired["headroom"]["tiny"][key] for key in (KEY, "delta_e_2000/all"))
  assert (psnr["mean"], psnr["images"]) == (pytest.approx(2 / 3), 3)
  assert psnr["better"] == pytest.approx(1 / 3)
  assert (psnr["low"], psnr["high"]) == (-1, 3)
  assert (delta_e["mean"], delta_e["better"]) == (pytest.approx(-4 / 3), pytest.approx(2 / 3))


def test_scores_with_a_target_are_better_when_nearer_to_it():
  light = [(-1.0, 0.5), (-0.2, 0.3), (0.4, -0.4), (-2.0, -1.0)]
  scores = [{"linear": {"light/clipped": a}, "tiny": {"light/clipped": b}} for a, b in light]
  summary = summary_of(report_record.make(scores))
  paired = summary["paired"]["headroom"]["tiny"]["light/clipped"]
  assert paired["mean"] == pytest.approx(np.mean([b - a for a, b in light]))
  assert paired["better"] == 0.5  # one is farther off, one as far on the other side
  entry = summary["scores"]["headroom"]["tiny"]["light/clipped"]
  assert entry["mean"] == pytest.approx(-0.15)
  assert entry["distance"]["mean"] == pytest.approx(0.55)
  assert entry["distance"]["low"] < 0.55 < entry["distance"]["high"]
  texture = one_method([0.5, 1.5, None, float("nan")], key="texture/clipped")
  assert (texture["mean"], texture["distance"]["mean"], texture["images"]) == (1.0, 0.5, 2)


def test_cameras_have_summaries_of_their_own():
  rng = np.random.default_rng(6)
  values, scenes = rng.uniform(0, 1, 12).tolist(), [f"s{i // 4}" for i in range(12)]
  scores = [{"linear": {SSIM: value}} for value in values]
  cameras = ["srgb", "filmic"] * 6
  both = statistics.summarize(report_record.make(scores, scenes=scenes, cameras=cameras))
  assert (both["images"], both["scenes"]) == (12, 3) and list(both["cameras"]) == ["srgb", "filmic"]
  for start, name in enumerate(both["cameras"]):
    alone = report_record.make(scores[start::2], scenes=scenes[start::2])
    for image in alone["images"]:
      image["pixels"] = dict.fromkeys(report_record.REGIONS, 1)
    wanted = summary_of(alone)["scores"]
    assert both["cameras"][name]["scores"] == wanted


def test_no_share_is_better_where_all_images_tie():
  scores = {"linear": {KEY: 20.0, SSIM: None}, "tiny": {KEY: 20.0, SSIM: 0.5}}
  paired = summary_of(report_record.make([scores] * 2))["paired"]["headroom"]["tiny"]
  assert (paired[KEY]["mean"], paired[KEY]["better"], paired[KEY]["images"]) == (0, None, 2)
  assert (paired[SSIM]["better"], paired[SSIM]["images"]) == (None, 0)
  worse = [{"linear": {KEY: 20.0}, "tiny": {KEY: value}} for value in (20.0, 19.0)]
  paired = summary_of(report_record.make(worse))["paired"]["headroom"]["tiny"]
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
  summary = summary_of(report_record.make(scores))
  paired = summary["paired"]["headroom"]["tiny"][KEY]
  assert 0.95 < paired["low"] < paired["high"] < 1.05
  score = summary["scores"]["headroom"]["tiny"][KEY]
  assert score["high"] - score["low"] > 4


def test_without_linear_there_are_no_pairs_and_unknown_scores_are_refused():
  record = report_record.make([{"tiny": {KEY: 1.0}}])
  summary = summary_of(record)
  assert summary["paired"] == {}
  assert summary["regions"]["clipped"] == {"share": 0.0, "images": 0}
  assert summary["regions"]["dark"] == {"share": 0.1, "images": 1}
  with pytest.raises(ValueError, match="psnr_xy"):
    statistics.summarize(report_record.make([{"tiny": {"psnr_xy/all": 1.0}}]))
