"""The whole program in a few minutes: a network too small to learn, on made-up scenes.

    python main.py --mode=train --config=configs/smoke.py --workdir=runs/smoke

Hardware: any CPU. Expected: 12 steps of phase I and 6 of phase II end without an error, with
three checkpoints; PSNR-mu stays about that of the linearised input.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
  config = default.get_config()
  config.model.base_width = 4
  config.model.blocks = 1
  config.model.dtype = "float32"
  config.optim.warmup_steps = 2
  config.train.batch_size = 8
  config.train.phase1_steps = 12
  config.train.phase2_steps = 6
  config.train.log_every = 2
  config.train.save_every = 6
  config.train.validate_every = 9
  config.train.validation_records = 4
  config.data.source = "procedural"
  config.data.crop = 32
  config.data.workers = 0
  return config
