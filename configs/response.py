"""The estimator of a photo's response: 50 thousand parameters, learnt from statistics of photos.

    python main.py --mode=train_response --config=configs/response.py \
        --output=response.safetensors --config.data.root=PATH_TO_HDR_IMAGES

Hardware: 2 CPU cores, five minutes, most of them for the photos: too short to be resumed.
Expected: docs/lab_notes.md has the figures.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
  config = default.get_config()
  config.unlock()
  config.estimator = estimator = ConfigDict()
  estimator.bins = 48  # of the tone statistics, steps in level
  estimator.slope_levels = 16  # steps in level between which slopes are compared
  estimator.knots = 17  # of the curve of a channel
  estimator.features = 96  # of the two hidden layers
  estimator.dropout = 0.5  # share of the features left out in training
  estimator.views = 150  # photos of each training scene
  estimator.srgb_share = 0.25  # of them that are exactly sRGB, beside the camera's responses ...
  estimator.srgb_weight = 9.0  # ... and how much each of these counts: how careful it gets
  config.data.crop = 96
  config.train.batch_size = 128
  config.train.phase1_steps = 4000
  config.train.phase2_steps = 0
  config.optim.peak_lr = 2e-3
  config.optim.warmup_steps = 100
  config.optim.weight_decay = 0.3
  return config.lock()
