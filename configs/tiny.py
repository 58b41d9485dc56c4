"""A network of 1 million parameters that a laptop trains: phase I; `tiny_wide.py` goes on from it.

    python main.py --mode=train --config=configs/tiny.py --workdir=runs/tiny \
        --config.data.root=PATH_TO_HDR_IMAGES

Hardware: 2 CPU cores. Expected: docs/model_card_tiny.md has the curve and the figures.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
  config = default.get_config()
  config.model.base_width = 32
  config.model.multipliers = (1, 2, 2)  # with the folding, three halvings
  config.model.patch = 2
  config.model.blocks = 1
  config.model.dtype = "float32"
  config.optim.peak_lr = 3e-4
  config.optim.phase2_lr = 1e-4
  config.optim.warmup_steps = 100
  config.optim.ema_decay = 0.998
  config.train.batch_size = 8
  config.train.phase1_steps = 5500
  config.train.phase2_steps = 0
  config.train.log_every = 20
  config.train.save_every = 400
  config.train.validate_every = 1100
  config.train.validation_records = 56
  config.data.crop = 64
  config.data.workers = 1
  return config
