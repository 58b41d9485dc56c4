"""Baselines and ablations, as variants of `tiny.py`.

    python main.py --mode=train --config=configs/ablation.py:VARIANT \
        --workdir=runs/VARIANT --config.data.root=PATH_TO_HDR_IMAGES

VARIANT: `full`, the method as it is; `uniform`, `two` (over- and under-exposed pixels in one
region) and `three`, the trajectories, which the paper compares without ELC; `uniform_elc`;
`plain_lab`, L_ELC without exposure weights; `regression`, the same network trained to x0 from the
photo alone; `diffusion`, the same network as a conditional DDPM. `--mode=study` trains and
compares them all. Single changes of the recipe, `noise_x4`, `l2`, ..., are in `RECIPE`.

Hardware: 2 CPU cores. Expected: the tables of docs/evaluation.md, at the budget given there.
"""

from ml_collections import ConfigDict

from configs import tiny
from expocm_jax.errors import UserError
from expocm_jax.method import diffusion

UNIFORM = {"trajectory.variant": "uniform"}
NO_ELC = {"elc.lambda_l": 0.0, "elc.lambda_c": 0.0}

# Name -> (label, fields that differ from `full`); all else, the budget included, stays the same.
# The first six are the rows of the paper's ablation, whose trajectories are compared without ELC.
VARIANTS: dict[str, tuple[str, dict]] = {
  "full": ("ExpoCM: three masks, ELC", {}),
  "uniform": ("uniform trajectory, no ELC", UNIFORM | NO_ELC),
  "two": ("two masks, no ELC", {"trajectory.variant": "two"} | NO_ELC),
  "three": ("three masks, no ELC", NO_ELC),
  "uniform_elc": ("uniform trajectory, ELC", UNIFORM),
  "plain_lab": ("three masks, unweighted Lab", {"elc.weighting": "uniform"}),
  # The uniform trajectory without noise, at t = 1 alone: x_1 is the LDR, the target is x0.
  "regression": (
    "regression, same network",
    UNIFORM
    | {
      "trajectory.sigma_uniform": 0.0,
      "consistency.anchor_fraction": 1.0,
      "consistency.target": "stop_gradient",
    },
  ),
  "diffusion": (
    "conditional DDPM, same network",
    {
      "objective": "diffusion",
      "consistency.curriculum": "fixed",
      "consistency.n_start": diffusion.STEPS + 1,  # draws t = 1/1000 ... 1 evenly
      "consistency.anchor_fraction": 0.0,
      "consistency.target": "stop_gradient",
    },
  ),
}


def _noise(over: float, under: float, good: float) -> dict[str, float]:
  return {f"trajectory.sigma_{k}": v for k, v in dict(over=over, under=under, good=good).items()}


# One field, or a few that belong together, away from `full`: docs/lab_notes.md has what they did.
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
  "headroom_32": ("headroom 32", {"domain.headroom": 32.0}),
  "lr_x2": ("learning rate 6e-4", {"optim.peak_lr": 6e-4}),
  "lr_half": ("learning rate 1.5e-4", {"optim.peak_lr": 1.5e-4}),
  "ema_99": ("EMA of the weights at 0.99", {"optim.ema_decay": 0.99}),
  "elc_x3": ("three times the weight of ELC", {"elc.lambda_l": 0.03, "elc.lambda_c": 0.03}),
}
LABELS = {name: label for name, (label, _) in (VARIANTS | RECIPE).items()}


def get_config(variant: str = "") -> ConfigDict:
  config = tiny.get_config()
  config.train.phase2_steps = 600  # ELC is in phase II, which `tiny` leaves to its second stage
  return apply(config, variant)


def apply(config: ConfigDict, variant: str) -> ConfigDict:
  """A locked copy of `config` with the changes of a variant of VARIANTS or RECIPE.

  Raises UserError for an unknown name.
  """
  if variant not in LABELS:
    given = f"no variant {variant!r}" if variant else "no variant given"
    raise UserError(f"configs/ablation.py: {given}; give one, as configs/ablation.py:VARIANT or in "
                    f"--variants, of {', '.join(LABELS)}")  # fmt: skip
  changed = config.copy_and_resolve_references()
  changed.update_from_flattened_dict((VARIANTS | RECIPE)[variant][1])
  return changed.lock()
