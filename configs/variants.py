"""Baselines and ablations as changes of a config: all else, the budget included, stays the same."""

from collections.abc import Callable

from ml_collections import ConfigDict

from expocm_jax.errors import UserError
from expocm_jax.method import diffusion


def _full(config: ConfigDict):
  del config  # as it is


def _without_elc(trajectory: str) -> Callable[[ConfigDict], None]:
  def change(config: ConfigDict):
    config.trajectory.variant = trajectory
    config.elc.weight = 0.0

  return change


def _uniform_elc(config: ConfigDict):
  config.trajectory.variant = "uniform"


def _plain_lab(config: ConfigDict):
  config.elc.weighting = "uniform"


def _regression(config: ConfigDict):
  # The uniform trajectory without noise, at t = 1 alone: x_1 is the LDR, the target is x0.
  config.trajectory.variant = "uniform"
  config.trajectory.sigma_uniform = 0.0
  config.consistency.anchor_fraction = 1.0
  config.consistency.target = "stop_gradient"


def _diffusion(config: ConfigDict):
  config.objective = "diffusion"
  config.consistency.curriculum = "fixed"
  config.consistency.n_start = diffusion.STEPS + 1  # draws t = 1/1000 ... 1 evenly
  config.consistency.anchor_fraction = 0.0
  config.consistency.target = "stop_gradient"


# The first six are the rows of the paper's ablation, whose trajectories are compared without ELC.
VARIANTS: dict[str, Callable[[ConfigDict], None]] = {
  "full": _full,
  "uniform": _without_elc("uniform"),
  "two": _without_elc("two"),
  "three": _without_elc("three"),
  "uniform_elc": _uniform_elc,
  "plain_lab": _plain_lab,
  "regression": _regression,
  "diffusion": _diffusion,
}
LABELS = {
  "full": "ExpoCM: three masks, ELC",
  "uniform": "uniform trajectory, no ELC",
  "two": "two masks, no ELC",
  "three": "three masks, no ELC",
  "uniform_elc": "uniform trajectory, ELC",
  "plain_lab": "three masks, unweighted Lab",
  "regression": "regression, same network",
  "diffusion": "conditional DDPM, same network",
}


def _noise(over: float, under: float, good: float) -> dict[str, float]:
  return {f"trajectory.sigma_{k}": v for k, v in dict(over=over, under=under, good=good).items()}


# One field, or a few that belong together, away from `full`: docs/training.md has what they did.
RECIPE: dict[str, tuple[str, dict]] = {
  "noise_x4": ("four times the noise", _noise(0.6, 0.5, 0.25)),
  "noise_x2": ("twice the noise", _noise(0.3, 0.25, 0.12)),
  "n10": ("N = 10 time steps", {"consistency.n_start": 10}),
  "improved": (
    "improved CT's curriculum, N = 5 to 17",
    {"consistency.curriculum": "improved", "consistency.n_start": 4, "consistency.n_end": 16},
  ),
  "continuous": ("continuous time", {"consistency.curriculum": "continuous"}),
  "stop_gradient": ("stopped gradient for EMA", {"consistency.target": "stop_gradient"}),
  "anchor_0": ("nothing anchored", {"consistency.anchor_fraction": 0.0}),
  "anchor_25": ("a quarter anchored", {"consistency.anchor_fraction": 0.25}),
  "anchor_75": ("three quarters anchored", {"consistency.anchor_fraction": 0.75}),
  "pseudo_huber": ("pseudo-Huber of whole images", {"consistency.distance": "pseudo_huber"}),
  "l2": ("L2, the paper's distance", {"consistency.distance": "l2"}),
  "charbonnier": ("Charbonnier", {"consistency.distance": "charbonnier"}),
  "lpips_alex": (
    "half LPIPS (AlexNet), half Charbonnier",
    {
      "consistency.distance": "charbonnier",
      "consistency.lpips_share": 0.5,
      "consistency.lpips": "alex",
    },
  ),
  "lpips_vgg": (
    "half LPIPS (VGG), half Charbonnier, as CTMSR",
    {
      "consistency.distance": "charbonnier",
      "consistency.lpips_share": 0.5,
      "consistency.lpips": "vgg",
    },
  ),
  "display": ("the LDR in the display domain", {"domain.ldr_domain": "display"}),
  "headroom_32": ("headroom 32", {"domain.headroom": 32.0}),
  "lr_x2": ("learning rate 6e-4", {"optim.peak_lr": 6e-4}),
  "lr_half": ("learning rate 1.5e-4", {"optim.peak_lr": 1.5e-4}),
  "ema_99": ("EMA of the weights at 0.99", {"optim.ema_decay": 0.99}),
  "elc_x3": ("three times the weight of ELC", {"elc.weight": 0.03}),
}
LABELS |= {name: label for name, (label, _) in RECIPE.items()}


def apply(config: ConfigDict, variant: str) -> ConfigDict:
  """A locked copy of `config` with the changes of a variant of VARIANTS or RECIPE.

  Raises UserError for an unknown name.
  """
  changed = config.copy_and_resolve_references().unlock()
  if variant in VARIANTS:
    VARIANTS[variant](changed)
  elif variant in RECIPE:
    changed.update_from_flattened_dict(RECIPE[variant][1])
  else:
    raise UserError(f"variant {variant!r}: unknown; use one of {', '.join(LABELS)}")
  return changed.lock()
