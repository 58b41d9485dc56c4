"""The speed benchmark: what it times and what it says; not how fast anything is."""

import json

import jax
import numpy as np
import pytest

from expocm_jax.errors import UserError
from expocm_jax.programs import benchmark
from tests.support import small_run

pytestmark = pytest.mark.usefixtures("quick_compiles")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
  return small_run.save_untrained(tmp_path_factory.mktemp("weights") / "net.safetensors")


def test_all_are_timed_in_one_run(network, tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(benchmark, "LEAST_SECONDS", 0.0)
  monkeypatch.setattr(benchmark, "LEAST_RUNS", 1)
  seconds = benchmark.main(weights=network, size=8, output=tmp_path / "out")
  assert list(seconds) == ["one step", "ddim-50", "ddpm-1000"]
  assert min(seconds.values()) > 0
  assert json.loads((tmp_path / "out" / "speed.json").read_text())["seconds"] == seconds
  assert "8 x 8 pixels" in capsys.readouterr().out


def test_the_table_has_the_ratios():
  text = benchmark.table({"one step": 0.5, "ddim-50": 10.0}, size=64, device="cpu", network="tiny")
  assert "| ddim-50 | 10 | 20.0 | 7.85 | 23.8 |" in text


def test_the_fastest_run_counts(monkeypatch):
  clock = iter(np.cumsum([0, 5, 0, 2, 0, 3, 0, 9]))
  monkeypatch.setattr(benchmark.time, "perf_counter", lambda: next(clock))
  monkeypatch.setattr(benchmark, "LEAST_SECONDS", 0.0)
  assert benchmark.fastest(jax.jit(lambda x: x + 1), np.float32(1)) == 2


def test_a_size_that_the_network_cannot_take(network):
  with pytest.raises(UserError, match="--size=9: not divisible by 2"):
    benchmark.main(weights=network, size=9)
