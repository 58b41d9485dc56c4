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


def test_score_keys_stand_in_the_order_of_the_columns_and_unknown_ones_are_refused():
  present = {"delta_e_2000/all", "psnr_mu/dark", "psnr_mu/all"}
  ordered = ["psnr_mu/all", "delta_e_2000/all", "psnr_mu/dark"]
  assert columns.score_keys(present) == ordered
  assert columns.metric_of("psnr_mu/dark").heading == "PSNR-µ ↑"
  for unknown in ("psnr_xy/all", "psnr_mu/sky"):
    with pytest.raises(ValueError, match=unknown):
      columns.score_keys(present | {unknown})


def test_every_metric_has_a_column():
  assert {*scoring.METRICS, *scoring.EXTERNAL} <= columns.BY_KEY.keys()
