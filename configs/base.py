"""A wide network for one large GPU: 30 million parameters, crops of 256 pixels, bfloat16.

    python main.py --mode=train --config=configs/base.py --workdir=runs/base \
        --config.data.root=PATH_TO_HDR_IMAGES

Hardware: one GPU of 40 GB or more, 12 CPU cores for the data. Not trained by us yet: no GPU was at
hand. A shorter time takes fewer steps: set train.phase1_steps and phase2_steps to what the rate
that the progress bar shows allows, so that the learning rate falls to its end.
"""

from ml_collections import ConfigDict

from configs import small


def get_config() -> ConfigDict:
  config = small.get_config()
  config.model.base_width = 96
  config.optim.peak_lr = 2e-4
  config.optim.phase2_lr = 5e-5
  config.train.batch_size = 16
  config.train.phase1_steps = 40_000
  config.train.phase2_steps = 10_000
  config.data.crop = 256
  return config
