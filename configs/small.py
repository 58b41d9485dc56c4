"""A network of 8 million parameters for one GPU: crops of 128 pixels, bfloat16.

    python main.py --mode=train --config=configs/small.py --workdir=runs/small \
        --config.data.root=PATH_TO_HDR_IMAGES

Hardware: one GPU of 16 GB or more, 12 CPU cores for the data. Not trained by us yet: no GPU was at
hand. A shorter time takes fewer steps: set train.phase1_steps and phase2_steps to what the rate
that the progress bar shows allows, so that the learning rate falls to its end.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
  config = default.get_config()
  config.optim.peak_lr = 3e-4
  config.optim.phase2_lr = 1e-4
  config.optim.warmup_steps = 200
  config.train.batch_size = 32
  config.train.phase1_steps = 12_000
  config.train.phase2_steps = 3000
  config.train.save_every = 500
  config.train.validate_every = 1000
  config.train.validation_records = 96
  config.data.crop = 128
  config.data.workers = 12
  return config
