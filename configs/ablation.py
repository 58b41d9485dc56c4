"""The ablation of trajectories and losses, as variants of `tiny.py`.

    python main.py --mode=train --config=configs/ablation.py:VARIANT \
        --workdir=runs/VARIANT --config.data.root=PATH_TO_HDR_IMAGES

VARIANT: `uniform`, `two` (over- and under-exposed pixels in one region) or `three`, the
trajectories; `no_elc`, phase II without L_ELC; `plain_lab`, L_ELC without exposure weights.

Hardware: 2 CPU cores. Expected: not known yet, none of them has been trained to the end.
"""

from ml_collections import ConfigDict

from configs import tiny
from expocm_jax.errors import UserError


def _trajectory(variant: str):
  def change(config: ConfigDict):
    config.trajectory.variant = variant

  return change


def _no_elc(config: ConfigDict):
  config.elc.weight = 0.0


def _plain_lab(config: ConfigDict):
  config.elc.weighting = "uniform"


VARIANTS = {
  "uniform": _trajectory("uniform"),
  "two": _trajectory("two"),
  "three": _trajectory("three"),
  "no_elc": _no_elc,
  "plain_lab": _plain_lab,
}


def get_config(variant: str = "") -> ConfigDict:
  if variant not in VARIANTS:
    known = ", ".join(VARIANTS)
    raise UserError(f"configs/ablation.py: no variant {variant!r}; "
                    f"give one as configs/ablation.py:VARIANT, of {known}")  # fmt: skip
  config = tiny.get_config()
  VARIANTS[variant](config)
  return config
