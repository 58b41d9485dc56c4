"""The second stage of `tiny.py`: both phases on larger crops, so that large highlights are known.

    python main.py --mode=train --config=configs/tiny_wide.py --workdir=runs/tiny_wide \
        --config.train.init_from=runs/tiny --config.data.root=PATH_TO_HDR_IMAGES

Hardware: 2 CPU cores. Expected: docs/model_card_tiny.md has the curve and the figures.
"""

from ml_collections import ConfigDict

from configs import tiny


def get_config() -> ConfigDict:
  config = tiny.get_config()
  config.optim.peak_lr = 2e-4
  config.optim.warmup_steps = 20
  config.optim.ema_decay = 0.99
  config.train.batch_size = 4
  config.train.phase1_steps = 250
  config.train.phase2_steps = 200
  config.train.save_every = 50
  config.train.validate_every = 250
  config.data.crop = 128
  return config
