"""Baselines and ablations, as variants of `tiny.py`.

    python main.py --mode=train --config=configs/ablation.py:VARIANT \
        --workdir=runs/VARIANT --config.data.root=PATH_TO_HDR_IMAGES

VARIANT: `full`, the method as it is; `uniform`, `two` (over- and under-exposed pixels in one
region) and `three`, the trajectories, which the paper compares without ELC; `uniform_elc`;
`plain_lab`, L_ELC without exposure weights; `regression`, the same network trained to x0 from the
photo alone; `diffusion`, the same network as a conditional DDPM. `--mode=study` trains and
compares them all. Single changes of the recipe, `noise_x4`, `l2`, ..., are in
`expocm_jax/variants.py:RECIPE`.

Hardware: 2 CPU cores. Expected: the tables of docs/evaluation.md, at the budget given there.
"""

from ml_collections import ConfigDict

from configs import tiny, variants
from expocm_jax.errors import UserError


def get_config(variant: str = "") -> ConfigDict:
  if variant not in variants.LABELS:
    known = ", ".join(variants.LABELS)
    given = f"no variant {variant!r}" if variant else "no variant given"
    raise UserError(f"configs/ablation.py: {given}; "
                    f"give one as configs/ablation.py:VARIANT, of {known}")  # fmt: skip
  config = tiny.get_config()
  config.train.phase2_steps = 600  # ELC is in phase II, which `tiny` leaves to its second stage
  return variants.apply(config, variant)
