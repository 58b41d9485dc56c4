"""A network of 2.6 million parameters that a CPU core trains in an hour: phase I of `mini`.

    python main.py --mode=train --config=configs/mini.py --workdir=runs/mini \
        --config.data.root=PATH_TO_HDR_IMAGES

Hardware: 2 CPU cores. Expected: docs/model_card_mini.md has the curve and the figures.
"""

from ml_collections import ConfigDict

from configs import tiny


def get_config() -> ConfigDict:
  config = tiny.get_config()
  config.model.base_width = 48
  config.model.multipliers = (1, 2, 4)
  config.consistency.curriculum = "continuous"
  config.train.phase1_steps = 4500
  config.train.save_every = 300
  config.train.validate_every = 1500
  return config
