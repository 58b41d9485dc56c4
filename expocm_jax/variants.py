"""Baselines and ablations as changes of a config: all else, the budget included, stays the same."""

from collections.abc import Callable

from ml_collections import ConfigDict

from expocm_jax import diffusion
from expocm_jax.errors import UserError


def _trajectory(variant: str) -> Callable[[ConfigDict], None]:
  def change(config: ConfigDict):
    config.trajectory.variant = variant

  return change


def _no_elc(config: ConfigDict):
  config.elc.weight = 0.0


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


VARIANTS: dict[str, Callable[[ConfigDict], None]] = {
  "three": _trajectory("three"),
  "two": _trajectory("two"),
  "uniform": _trajectory("uniform"),
  "no_elc": _no_elc,
  "plain_lab": _plain_lab,
  "regression": _regression,
  "diffusion": _diffusion,
}
LABELS = {
  "three": "ExpoCM, three masks, ELC",
  "two": "two masks",
  "uniform": "uniform trajectory",
  "no_elc": "three masks, no ELC",
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
