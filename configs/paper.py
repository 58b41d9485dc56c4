"""The paper (arXiv 2605.02464), literal wherever it speaks: 500k steps of 256-pixel crops.

    python main.py --mode=train --config=configs/paper.py --workdir=runs/paper \
        --config.data.source=pairs --config.data.root=PATH_TO_PAIRS

From the paper: batch, crops, 500k steps in all, AdamW (0.9, 0.999), a cosine from 5e-5 to 1e-7, L2
distance with an EMA target and no anchored pairs, f without y, three regions, masks without a gate,
no tone curve or grid, phase II by L_ELC alone, the kappas of ELC and its chroma weight as printed.

What remains of ours, where the paper is silent:

    field                                     here
    masks, trajectory: alpha(t) = t, sigma    0.15, 0.12, 0.06; F_low a Gaussian of 2 pixels
    domain: mu-law 5000, headroom 16          1.0 = where the photo clips
    consistency: N, rate of the target's EMA  4 steps, 0.95
    elc: gates, exponents, epsilon, lambdas   as default.py; lambdas 1
    model: width, norm, number format         96; per pixel, beside a channel of ones (without it
                                              the norm would hide a pixel's brightness); bfloat16
    optim: weight decay, EMA of the weights   as default.py; no clipping, no warm-up
    phase II: its share and its cosine        the last 50k of the 500k steps, from 1e-5

Hardware: one GPU of 24 GB or more, days. Expected: not trained to its end by us.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
  config = default.get_config()
  config.consistency.anchor_fraction = 0.0
  config.consistency.distance = "l2"
  config.consistency.keep = ()
  config.consistency.residual = False
  config.consistency.target = "ema"
  config.elc.chroma_base = 0.0
  config.elc.ct_weight = 0.0
  config.elc.lambda_l = config.elc.lambda_c = 1.0
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
  config.train.phase1_steps = 450_000
  config.train.phase2_steps = 50_000
  config.train.save_every = 5000
  config.train.validate_every = 5000
  config.data.crop = 256
  return config
