"""Every config can be used, the variants are what they say, and the paper's is the paper's."""

import importlib
import pathlib

import pytest

from configs import ablation, default, paper, response, tiny
from expocm_jax.errors import UserError
from expocm_jax.method.expocm import Method
from expocm_jax.training.config_check import check_numbers
from expocm_jax.training.objective import make_curriculum, make_loss
from expocm_jax.training.optimizer import learning_rate

PLAIN = ("default", "paper", "tiny", "tiny_wide", "small", "base", "smoke")
ALL = PLAIN + tuple(f"ablation:{variant}" for variant in ablation.LABELS)


def load(name):
  module, _, variant = name.partition(":")
  get_config = importlib.import_module(f"configs.{module}").get_config
  return get_config(variant) if variant else get_config()


def difference(config, base):
  flat = lambda tree: dict(_leaves(tree.to_dict()))
  a, b = flat(config), flat(base)
  return {name: value for name, value in a.items() if value != b[name]}


def _leaves(tree, prefix=""):
  for name, value in tree.items():
    if isinstance(value, dict):
      yield from _leaves(value, f"{prefix}{name}.")
    else:
      yield prefix + name, value


def test_every_file_is_known_here():
  files = {path.stem for path in pathlib.Path(default.__file__).parent.glob("*.py")}
  assert files == {"__init__", "ablation", "response", *PLAIN}


def test_the_estimators_config_is_that_of_default_and_a_section():
  config = response.get_config()
  names = [name for name in _names(config) if not name.startswith("estimator.")]
  assert names == _names(default.get_config())
  check_numbers(config)


@pytest.mark.parametrize("name", ALL)
def test_a_config_has_the_fields_of_default_and_makes_a_method(name):
  config = load(name)
  assert _names(config) == _names(default.get_config())
  method = Method.from_config(config)
  assert config.data.crop % method.stride == 0
  make_curriculum(config)
  make_loss(config, method, phase=2)


def _names(config):
  return [name for name, _ in _leaves(config.to_dict())]


def test_paper_is_the_paper():
  config = paper.get_config()
  assert (config.train.batch_size, config.data.crop) == (4, 256)
  assert config.train.phase1_steps + config.train.phase2_steps == 500_000
  optim = config.optim
  assert (optim.peak_lr, optim.final_lr, optim.warmup_steps) == (5e-5, 1e-7, 0)
  assert (optim.b1, optim.b2) == (0.9, 0.999)
  consistency = config.consistency
  assert (consistency.distance, consistency.target) == ("l2", "ema")
  assert not consistency.residual and config.elc.ct_weight == 0.0
  assert (config.masks.tau, config.masks.q_lo, config.masks.q_hi) == (0.02, 2.0, 98.0)
  elc = config.elc
  assert (elc.kappa_l_lo, elc.kappa_l_hi, elc.kappa_c_hi, elc.kappa_c_lo) == (3.0, 1.0, 3.0, 0.5)
  assert (elc.chroma_base, consistency.anchor_fraction, optim.grad_clip) == (0.0, 0.0, 0.0)
  assert config.masks.gate == 0.0
  assert config.model.tone_bins == config.model.tone_cells == 0


def test_the_paper_has_a_cosine_a_phase():
  rate = learning_rate(paper.get_config())
  middle = (5e-5 + 1e-7) / 2
  wanted = {0: 5e-5, 225_000: middle, 449_999: 1e-7, 450_000: 1e-5, 500_000: 1e-7}
  for step, value in wanted.items():
    assert float(rate(step)) == pytest.approx(value, rel=1e-3), step


@pytest.mark.parametrize(
  ("variant", "changes"),
  [
    ("full", {}),
    ("uniform", {"trajectory.variant": "uniform", "elc.lambda_l": 0.0, "elc.lambda_c": 0.0}),
    ("two", {"trajectory.variant": "two", "elc.lambda_l": 0.0, "elc.lambda_c": 0.0}),
    ("three", {"elc.lambda_l": 0.0, "elc.lambda_c": 0.0}),
    ("uniform_elc", {"trajectory.variant": "uniform"}),
    ("plain_lab", {"elc.weighting": "uniform"}),
    (
      "regression",
      {
        "trajectory.variant": "uniform",
        "trajectory.sigma_uniform": 0.0,
        "consistency.anchor_fraction": 1.0,
        "consistency.target": "stop_gradient",
      },
    ),
  ],
)
def test_a_variant_changes_what_it_says_and_no_more(variant, changes):
  phase2 = {"train.phase2_steps": 600}
  assert difference(ablation.get_config(variant), tiny.get_config()) == changes | phase2


@pytest.mark.parametrize("variant", ["", "four"])
def test_an_unknown_variant_lists_the_known(variant):
  with pytest.raises(UserError, match=", ".join(ablation.VARIANTS)):
    ablation.get_config(variant)


def test_the_numbers_of_the_method_and_the_camera_are_those_that_were_chosen():
  """Nothing else pins them: functions have no defaults, and other tests read the config."""
  config = default.get_config()
  assert dict(config.domain) == {"mu": 5000.0, "headroom": 16.0}
  assert dict(config.masks) == {"tau": 0.02, "q_lo": 2.0, "q_hi": 98.0, "gate": 0.2}
  assert dict(config.trajectory) == {
    "variant": "three", "sigma_over": 0.15, "sigma_under": 0.12, "sigma_good": 0.06,
    "sigma_uniform": 0.12, "lambda_under": 1.0, "blur_sigma": 2.0,
  }  # fmt: skip
  assert dict(config.camera) == {
    "fov": (30.0, 100.0), "pitch": (-40.0, 40.0), "roll": (-5.0, 5.0),
    "clipped_share": (0.005, 0.2), "underexposed": 0.1, "underexposure": (0.0, 3.0),
    "response": "training", "reading": "both",
    "response_gamma": (0.85, 1.18), "response_s": (0.0, 0.25), "response_film": (0.0, 1.0),
    "film_exponent": (0.75, 1.05), "film_sigma": (0.4, 0.9), "response_channel": 0.02,
    "white_balance": 0.06, "saturation": (0.85, 1.15), "vignetting": (0.0, 0.2),
    "blur": (0.0, 0.7), "read_noise": (0.0, 0.003), "shot_noise": (0.0, 0.006),
    "jpeg_quality": (60, 98), "chroma_subsampling": 0.5,
  }  # fmt: skip
