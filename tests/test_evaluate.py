"""Evaluation: aggregation against plain arithmetic, and the program on procedural scenes."""

import json
import math

import numpy as np
import pytest

from configs import smoke
from expocm_jax import evaluate, weights
from expocm_jax.errors import UserError
from expocm_jax.method import Method

ROWS = [
  {
    "pixels": {"all": 100, "clipped": 0},
    "psnr_mu": {"output/all": 20.0, "output/clipped": math.nan},
  },
  {"pixels": {"all": 300, "clipped": 50}, "psnr_mu": {"output/all": 40.0, "output/clipped": 10.0}},
]


def test_means_and_pooled_errors_leave_out_views_without_the_region():
  assert evaluate.mean_scores(ROWS) == {"output/all": 30.0, "output/clipped": 10.0}
  pooled = evaluate.pooled_scores(ROWS)
  np.testing.assert_allclose(
    pooled["output/all"], -10 * math.log10((100 * 1e-2 + 300 * 1e-4) / 400), rtol=1e-12
  )
  np.testing.assert_allclose(pooled["output/clipped"], 10.0)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
  import jax

  config = smoke.get_config()
  path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
  weights.save_weights(path, Method.from_config(config).init_params(jax.random.key(0)), config)
  return path


def test_an_untrained_network_scores_as_the_linearised_input(untrained, tmp_path, monkeypatch):
  from input_pipeline import pipeline

  scenes = pipeline.test_records
  monkeypatch.setattr(
    pipeline, "test_records", lambda *a, **k: (r for _, r in zip(range(3), scenes(*a, **k)))
  )
  config = smoke.get_config()
  means = evaluate.main(config, weights=untrained, output=tmp_path / "out", views=1, size=32)
  for region in ("all", "rest"):
    assert means[f"output/{region}"] == pytest.approx(means[f"input/{region}"], abs=0.5)
  scores = json.loads((tmp_path / "out" / "scores.json").read_text())
  assert len(scores["views"]) == 3 and scores["size"] == 32
  assert "| gain |" in (tmp_path / "out" / "scores.md").read_text()
  assert (tmp_path / "out" / "sheet.png").exists()


def test_a_size_that_the_network_cannot_take(untrained, tmp_path):
  with pytest.raises(UserError, match="33 is not divisible by 8"):
    evaluate.main(smoke.get_config(), weights=untrained, output=tmp_path, size=33)
