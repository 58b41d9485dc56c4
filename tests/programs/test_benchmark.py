"""The speed benchmark: what it times and what it says; not how fast anything is."""

import json

import jax
import numpy as np
import pytest

from expocm_jax.errors import UserError
from expocm_jax.programs import benchmark
from expocm_jax.training import state, step
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


def test_the_pipeline_beside_the_train_step(monkeypatch, capsys):
  calls = []

  def train_step(trained, batch):  # compiles at once
    calls.append(batch["ldr"].shape)
    return trained, {}

  monkeypatch.setattr(step, "make_train_step", lambda *arguments, phase: train_step)
  monkeypatch.setattr(state, "create_state", lambda *arguments: None)
  monkeypatch.setattr(benchmark, "SECONDS", 0.01)
  rates = benchmark.main(what="pipeline", config=small_run.config(batch_size=8))
  assert rates.keys() == {"pipeline", "step", "together"} and min(rates.values()) > 0
  assert set(calls) == {(8, 16, 16, 3)}
  assert "procedural, crop 16, batch 8" in capsys.readouterr().out
  with pytest.raises(UserError, match="--size: not used by --what=pipeline"):
    benchmark.main(what="pipeline", config=small_run.config(), size=8)
  with pytest.raises(UserError, match="checkout"):
    benchmark.main(what="pipeline")


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
