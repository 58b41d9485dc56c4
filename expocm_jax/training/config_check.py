"""Within which limits the numbers of a config make sense: told before anything starts.

Names (of variants, distances, sources) are checked where they become functions, and the ranges of
`config.camera` by `input_pipeline.camera.photograph.Camera`.
"""

import math

from ml_collections import ConfigDict

from expocm_jax.errors import UserError

ABOVE_0 = 1e-9  # least value of what divides or is the argument of a logarithm
ANY = math.inf

LIMITS = {  # least and most, both allowed
  "seed": (0, 2**32 - 1),
  "domain.mu": (ABOVE_0, ANY),
  "domain.headroom": (1, ANY),
  "masks.tau": (1e-4, 0.5),
  "masks.q_lo": (0, 100),
  "masks.q_hi": (0, 100),
  "masks.gate": (0, 1),
  "trajectory.sigma_over": (0, ANY),
  "trajectory.sigma_under": (0, ANY),
  "trajectory.sigma_good": (0, ANY),
  "trajectory.sigma_uniform": (0, ANY),
  "trajectory.lambda_under": (0, ANY),
  "trajectory.blur_sigma": (ABOVE_0, 100),
  "consistency.delta": (ABOVE_0, ANY),
  "consistency.n_start": (2, ANY),
  "consistency.n_end": (2, ANY),
  "consistency.doublings": (0, ANY),
  "consistency.target_decay": (ABOVE_0, 1),
  "consistency.anchor_fraction": (0, 1),
  "elc.ct_weight": (0, ANY),
  "elc.kappa_l_lo": (0, ANY),
  "elc.kappa_l_hi": (0, ANY),
  "elc.kappa_c_hi": (0, ANY),
  "elc.kappa_c_lo": (0, ANY),
  "elc.lambda_l": (0, ANY),
  "elc.lambda_c": (0, ANY),
  "elc.chroma_base": (0, ANY),
  "elc.exponent": (ABOVE_0, ANY),
  "elc.dark_threshold": (0, 1),
  "elc.dark_softness": (ABOVE_0, ANY),
  "elc.bright_threshold": (0, 1),
  "elc.bright_softness": (ABOVE_0, ANY),
  "elc.specular_chroma": (ABOVE_0, ANY),
  "elc.epsilon": (ABOVE_0, ANY),
  "consistency.lpips_share": (0, 1),
  "model.base_width": (1, ANY),
  "model.blocks": (1, ANY),
  "model.tone_bins": (0, 256),
  "model.tone_cells": (0, 32),
  "model.patch": (1, 4),
  "model.time_features": (2, ANY),
  "optim.peak_lr": (ABOVE_0, ANY),
  "optim.final_lr": (0, ANY),
  "optim.warmup_steps": (0, ANY),
  "optim.phase2_lr": (ABOVE_0, ANY),
  "optim.b1": (0, 1),
  "optim.b2": (0, 1),
  "optim.weight_decay": (0, ANY),
  "optim.grad_clip": (0, ANY),
  "optim.accumulate": (1, ANY),
  "optim.ema_decay": (0, 1),
  "train.batch_size": (1, ANY),
  "train.phase1_steps": (0, ANY),
  "train.phase2_steps": (0, ANY),
  "train.log_every": (1, ANY),
  "train.save_every": (1, ANY),
  "train.validate_every": (1, ANY),
  "train.validation_records": (1, ANY),
  "train.keep_checkpoints": (1, ANY),
  "data.validation_share": (0, 0.999),
  "data.crop": (1, ANY),
  "data.workers": (0, 1024),
  "data.cache_gib": (0, ANY),
  "data.shuffle_seed": (0, 2**32 - 1),
}


def check_fields(config: ConfigDict, like: ConfigDict, section: str = "config") -> None:
  """Raises UserError, as `check_numbers`, for a field of `like` that is missing or of another type.

  A number without a fraction serves as a float; a tuple may have any length. More fields are fine.
  """
  for field, default in like.items():
    name = f"{section}.{field}"
    if field not in config:
      raise UserError(f"{name}: missing; begin get_config() as configs/tiny.py does")
    if not _same_type(config[field], default):
      wanted = "a section" if isinstance(default, ConfigDict) else f"the type of {default!r}"
      raise UserError(f"{name}={config[field]!r}: wrong type; give {wanted}, as configs/default.py")
    if isinstance(default, ConfigDict):
      check_fields(config[field], default, name)


def _same_type(value: object, like: object) -> bool:
  if isinstance(like, tuple):
    return isinstance(value, tuple) and all(_same_type(item, like[0]) for item in value)
  types = (int, float) if isinstance(like, float) else type(like)
  return isinstance(value, types) and isinstance(value, bool) == isinstance(like, bool)


def check_numbers(config: ConfigDict) -> None:
  """Raises UserError, one line that names the field, for a number outside its limits."""
  from expocm_jax.network import unet  # they load JAX, which --help and mistakes need not

  for name, (least, most) in LIMITS.items():
    section, _, field = name.rpartition(".")
    value = config[section][field] if section else config[field]
    if not least <= value <= most:  # NaN included
      raise UserError(f"config.{name}={value}: must be {_limits(least, most)}")
  if config.masks.q_lo >= config.masks.q_hi:
    raise UserError(f"config.masks.q_lo={config.masks.q_lo}: must be below "
                    f"config.masks.q_hi={config.masks.q_hi}")  # fmt: skip
  n_start, n_end = config.consistency.n_start, config.consistency.n_end
  if config.consistency.curriculum in ("original", "improved") and n_end < n_start:
    raise UserError(f"config.consistency.n_end={n_end}: must be at least "
                    f"config.consistency.n_start={n_start}")  # fmt: skip
  shares = config.consistency.region_shares
  if len(shares) != 3 or not (min(shares) >= 0 and 0 < shares[2] and sum(shares) < math.inf):
    raise UserError(f"config.consistency.region_shares={shares}: must be three numbers of at least "
                    "0 (over, under, good), the last above 0; use (0.2, 0.2, 0.6)")  # fmt: skip
  keep = config.consistency.keep
  if keep and not (len(keep) == 4 and 0 <= keep[0] < keep[1] <= keep[2] < keep[3] <= 1):
    raise UserError(f"config.consistency.keep={keep}: must be four codes that rise within 0 and 1; "
                    "use (0.1, 0.2, 0.95, 0.99), or () for none")  # fmt: skip
  multipliers = config.model.multipliers
  if not multipliers or min(multipliers) < 1:
    raise UserError(f"config.model.multipliers={multipliers}: must be whole numbers of at least 1; "
                    "give one a level, such as (1, 2, 4, 4)")  # fmt: skip
  if config.model.tone_bins == 1:
    raise UserError("config.model.tone_bins=1: a curve needs 2 bins or more; use 48, or 0 for none")
  if config.model.tone_cells % 4:
    raise UserError(f"config.model.tone_cells={config.model.tone_cells}: must be divisible by 4, "
                    "as the grid is halved twice; use 32, or 0 for none")  # fmt: skip
  patch = config.model.patch
  if unet.LARGEST_STRIDE % unet.stride(multipliers, patch):
    raise UserError(f"config.model.patch={patch}: times 2 a level it must divide the smallest "
                    f"tile, {unet.LARGEST_STRIDE} pixels; use 1, 2 or 4")  # fmt: skip


def _limits(least: float, most: float) -> str:
  above = "above 0" if least == ABOVE_0 else f"at least {least}"
  return above if most == ANY else f"{above} and at most {most}"
