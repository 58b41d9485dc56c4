"""The paper's setting (arXiv 2605.02464): 256-pixel crops, batch 4, 500k steps, AdamW.

    python main.py --mode=train --config=configs/paper.py --workdir=runs/paper \
        --config.data.source=pairs --config.data.root=PATH_TO_PAIRS

From the paper: batch, crops, 500k steps with one cosine from 5e-5 to 1e-7, AdamW (0.9, 0.999), L2
distance, EMA target, three regions, masks, no tone curve or grid, and the kappas of ELC, whose
chroma weight is as printed. The paper leaves open, and `default.py` or this file chooses: widths
and number format of the network, noise levels, value domain, time steps, the rates of both EMAs,
weight decay, gradient clipping and warm-up (none here), the gates of ELC, the weights of ELC and
CT in phase II, and its length and learning rate (here the 500k steps are phase I, and 50k from
1e-5 follow).

Hardware: one GPU of 24 GB or more, days. Expected: not measured by us.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
  config = default.get_config()
  config.consistency.anchor_fraction = 0.0
  config.consistency.distance = "l2"
  config.consistency.target = "ema"
  config.elc.chroma_base = 0.0
  config.masks.gate = 0.0
  config.model.base_width = 96
  config.model.tone_bins = 0
  config.model.tone_cells = 0
  config.optim.peak_lr = 5e-5
  config.optim.final_lr = 1e-7
  config.optim.warmup_steps = 0
  config.optim.phase2_lr = 1e-5
  config.optim.grad_clip = 0.0
  config.train.batch_size = 4
  config.train.phase1_steps = 500_000
  config.train.phase2_steps = 50_000
  config.train.save_every = 5000
  config.train.validate_every = 5000
  config.data.crop = 256
  return config
