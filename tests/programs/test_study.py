"""A study: every variant in its folder, finished runs left alone, one evaluation of all."""

import json

import pytest

from expocm_jax.checkpoints.runs import Checkpoints
from expocm_jax.errors import UserError
from expocm_jax.method.expocm import Method
from expocm_jax.programs import study
from expocm_jax.training import loop
from expocm_jax.training.processes import make_mesh
from expocm_jax.training.state import create_state
from input_pipeline import source
from tests.support import small_run

pytestmark = pytest.mark.usefixtures("quick_compiles")
NAMES = ["regression", "diffusion"]
ARGUMENTS = dict(
  variants=NAMES, protocols=["headroom"], metrics=["psnr_mu"], size=16, cameras=["srgb"]
)


@pytest.fixture
def trained(monkeypatch):
  """Names of the runs trained so far, by a training that leaves the first parameters."""
  done = []

  def main(config, workdir):
    state = create_state(config, Method.from_config(config), make_mesh())
    checkpoints = Checkpoints(workdir / "checkpoints", keep=1)
    last = config.train.phase1_steps + config.train.phase2_steps
    checkpoints.save(last, state, {"batches": last}, config, score=0.0)
    checkpoints.close()
    done.append(workdir.name)

  monkeypatch.setattr(loop, "main", main)
  monkeypatch.setattr(study, "SAMPLERS", {"diffusion": ("ddim-2", "ddpm-3")})
  monkeypatch.setitem(source.PROCEDURAL_SCENES, "test", 2)
  return done


def test_a_study_goes_on_where_it_was_stopped(trained, tmp_path, monkeypatch):
  tmp_path = tmp_path / "lr=1:ddim"  # signs that mean something on the command line
  config, training = small_run.config(), loop.main

  def stopped(changed, workdir):
    if workdir.name == "diffusion":
      raise SystemExit(143)
    training(changed, workdir)

  monkeypatch.setattr(loop, "main", stopped)
  with pytest.raises(SystemExit):
    study.main(config, tmp_path, **ARGUMENTS)
  monkeypatch.setattr(loop, "main", training)
  study.main(config, tmp_path, **ARGUMENTS)
  assert trained == NAMES  # each once
  record = json.loads((tmp_path / "evaluation" / "scores.json").read_text())
  methods = ["linear", "bt2446c", "akyuz", "regression", "diffusion:ddim-2", "diffusion:ddpm-3"]
  assert list(record["methods"]) == methods and list(record["cameras"]) == ["srgb"]
  labels = [method["label"] for method in record["methods"].values()]
  assert labels[-3:-1] == ["regression, same network", "conditional DDPM, same network, DDIM-2"]

  config.optim.peak_lr *= 2
  with pytest.raises(UserError, match=r"optim\.peak_lr"):
    study.main(config, tmp_path, **ARGUMENTS)


MISTAKES = {
  "variants": (["two", "four"], "no variant 'four'"),
  "protocols": (["loud"], "'loud': unknown"),
  "metrics": (["beauty"], "'beauty': unknown"),
  "size": (4, "at least 11 pixels"),
  "cameras": (["phone"], "unknown camera 'phone'"),
}


@pytest.mark.parametrize("option", MISTAKES)
def test_mistakes_are_told_before_any_training(option, trained, tmp_path):
  value, words = MISTAKES[option]
  arguments = ARGUMENTS | {"metrics": ["ssim_mu"]} | {option: value}
  with pytest.raises(UserError, match=words):
    study.main(small_run.config(), tmp_path / "study", **arguments)
  assert not trained and not (tmp_path / "study").exists()


def test_variants_that_only_phase_two_tells_apart_need_one(trained, tmp_path):
  config = small_run.config(phase2_steps=0)
  options = ARGUMENTS | {"variants": ["three", "regression", "full"]}
  with pytest.raises(UserError, match="three and full differ in phase II alone"):
    study.main(config, tmp_path, **options)
  assert not trained and not list(tmp_path.iterdir())
