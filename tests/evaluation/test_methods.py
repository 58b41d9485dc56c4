"""How the command line names trained parameters."""

import pytest

from expocm_jax.errors import UserError
from expocm_jax.evaluation.methods import WeightsSource, parse_sampler, parse_source

TEXTS = {
  "tiny": WeightsSource("tiny"),
  "ours=runs/tiny": WeightsSource("runs/tiny", "", "ours"),
  "runs/ddpm:ddim-20": WeightsSource("runs/ddpm", "ddim-20"),
  "old=runs/ddpm:ddpm-1000": WeightsSource("runs/ddpm", "ddpm-1000", "old"),
  "a=runs/lr=1": WeightsSource("runs/lr=1", "", "a"),
  "ddim-50": WeightsSource("ddim-50"),  # no place before it: a name
  "C:/weights": WeightsSource("C:/weights"),
}


@pytest.mark.parametrize("text", TEXTS)
def test_sources(text):
  assert parse_source(text) == TEXTS[text]


def test_a_path_that_exists_is_taken_as_it_is(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / "lr=1:ddim-5").mkdir()
  assert parse_source("lr=1:ddim-5") == WeightsSource("lr=1:ddim-5")
  assert parse_source("lr=1:ddim-5:ddim-7") == WeightsSource("lr=1:ddim-5", "ddim-7")
  assert parse_source("x=lr=1:ddim-5") == WeightsSource("lr=1:ddim-5", "", "x")


def test_samplers():
  assert parse_sampler("ddim-50") == (50, 0.0)
  assert parse_sampler("ddpm-1000") == (1000, 1.0)
  for wrong in ("ddim", "ddim-0", "ddpm-1001", "ddim-many", "euler-5"):
    with pytest.raises(UserError, match="use ddim-STEPS"):
      parse_sampler(wrong)
