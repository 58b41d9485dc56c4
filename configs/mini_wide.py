"""The second stage of `mini.py`: as `tiny_wide.py`, with larger blown-out surfaces as well.

    python main.py --mode=train --config=configs/mini_wide.py --workdir=runs/mini_wide \
        --config.train.init_from=runs/mini --config.data.root=PATH_TO_HDR_IMAGES

Hardware: 2 CPU cores. Expected: docs/model_card_mini.md has the curve and the figures.
"""

from ml_collections import ConfigDict

from configs import mini, tiny_wide


def get_config() -> ConfigDict:
  config = tiny_wide.second_stage(mini.get_config())
  config.train.phase1_steps = 400
  config.camera.clipped_share = (0.005, 0.35)
  return config
