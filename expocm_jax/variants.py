"""Baselines and ablations as changes of a config: all else, the budget included, stays the same."""

from collections.abc import Callable

from ml_collections import ConfigDict

from expocm_jax import diffusion
from expocm_jax.errors import UserError


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


def apply(config: ConfigDict, variant: str) -> ConfigDict:
  """A locked copy of `config` with the variant's changes; UserError for an unknown name."""
  if variant not in VARIANTS:
    raise UserError(f"variant {variant!r}: unknown; use one of {', '.join(VARIANTS)}")
  changed = config.copy_and_resolve_references().unlock()
  VARIANTS[variant](changed)
  return changed.lock()
