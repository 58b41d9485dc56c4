import pytest

from expocm_jax.evaluation import scoring
from expocm_jax.evaluation.report import columns


def test_small_scores_are_printed_as_in_the_paper():
  ssim, decibels = columns.BY_KEY["ssim_mu"], columns.BY_KEY["psnr_mu"]
  assert ssim.text(0.86841) == ".8684"
  assert ssim.text(1.0) == "1.0000"
  assert ssim.text(-0.0123, signed=True, coarse=True) == "−.012"
  assert decibels.text(-0.001, signed=True) == "0.00"
  assert ssim.text(0.0004, signed=True, coarse=True) == ".000"
  assert decibels.text(0.5, signed=True) == "+0.50"


def test_what_ranks_the_values_of_a_metric():
  light, texture = columns.BY_KEY["light"], columns.BY_KEY["texture"]
  ranked = lambda metric, values: sorted(values, key=metric.shortfall)
  assert ranked(light, [-2.0, 1.0, -0.5]) == [-0.5, 1.0, -2.0]
  assert ranked(texture, [0.5, 1.2, 0.0]) == [1.2, 0.5, 0.0]
  assert ranked(columns.BY_KEY["psnr_mu"], [20.0, 30.0]) == [30.0, 20.0]
  assert ranked(columns.BY_KEY["lpips_alex"], [0.2, 0.1]) == [0.1, 0.2]
  assert (light.heading, texture.latex_heading) == ("light → 0", r"texture $\to 1$")


def test_score_keys_stand_in_the_order_of_the_columns_and_unknown_ones_are_refused():
  present = {"delta_e_2000/all", "psnr_mu/dark", "psnr_mu/all"}
  ordered = ["psnr_mu/all", "delta_e_2000/all", "psnr_mu/dark"]
  assert columns.score_keys(present) == ordered
  assert columns.metric_of("psnr_mu/dark").heading == "PSNR-µ ↑"
  for unknown in ("psnr_xy/all", "psnr_mu/sky", "light/dark"):
    with pytest.raises(ValueError, match=unknown):
      columns.score_keys(present | {unknown})


def test_every_metric_has_a_column():
  assert {*scoring.METRICS, *scoring.EXTERNAL} <= columns.BY_KEY.keys()
