"""Every field, with its unit and its source; the other configs are deltas of this one.

[P] is the paper (arXiv 2605.02464), [C] is our choice where the paper is silent.

    python main.py --mode=train --config=configs/default.py --workdir=runs/default \
        --config.data.root=PATH_TO_HDR_IMAGES

Hardware: one GPU of 16 GB or more.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
  config = ConfigDict()
  config.seed = 0
  config.objective = "consistency"  # [P]; "diffusion": the DDPM baseline with the same network

  # Value domain: docs/training.md, the first table.
  config.domain = domain = ConfigDict()
  domain.mu = 5000.0              # mu-law constant [C]
  domain.headroom = 16.0          # largest relative radiance, 1.0 = sensor clip [C]

  # Exposure masks, eq. 5-7.
  config.masks = masks = ConfigDict()
  masks.tau = 0.02                # width of the soft step, share of the luminance range [P]
  masks.q_lo = 2.0                # percentile [P]
  masks.q_hi = 98.0               # percentile [P]
  masks.gate = 0.2                # how far from white or black counts as lost [C]; 0 = any [P]

  # Exposure-aware consistency trajectories (EACT), eq. 3 and 8-11.
  config.trajectory = trajectory = ConfigDict()
  trajectory.variant = "three"    # "three" [P]; "two", "uniform" for the ablation
  trajectory.sigma_over = 0.15    # noise at t = 1, in units of x0 [C]
  trajectory.sigma_under = 0.12   # [C]
  trajectory.sigma_good = 0.06    # [C]
  trajectory.sigma_uniform = 0.12  # of the uniform variant alone [C]
  trajectory.lambda_under = 1.0   # weight of the low-passed LDR in dark regions [C]
  trajectory.blur_sigma = 2.0     # of F_low, a Gaussian cut at two sigma, pixels [C]

  # Consistency function and time pairs.
  config.consistency = consistency = ConfigDict()
  consistency.delta = 0.05        # c_skip falls from 1 to 1/2 at t = delta [C]
  consistency.residual = True     # f starts from the LDR [C]; False: from nothing, as CM [P]
  # Codes of the largest channel: between the middle two a pixel is the photo's own, below the first
  # and above the last the network's [C]; () = the network's everywhere [P].
  consistency.keep = (0.1, 0.2, 0.95, 0.99)
  consistency.curriculum = "fixed"  # "fixed", "original", "improved", "continuous" [C]
  consistency.n_start = 4         # time steps, t = 0 included; "improved" has one more [C]
  consistency.n_end = 4           # of "original" and "improved" [C]
  consistency.doublings = 4       # of 1 / (1 - t'/t) in "continuous" [C]
  consistency.target = "ema"      # "ema" [P], "stop_gradient"
  consistency.target_decay = 0.95  # EMA rate of the target's weights at n_start steps [C]
  consistency.anchor_fraction = 0.5  # share of a batch supervised at t = 1 [C]
  consistency.distance = "regional_huber"  # "l2" [P], "charbonnier", "pseudo_huber" [C]
  consistency.region_shares = (0.2, 0.2, 0.6)  # of over-, under-, well exposed in it [C]
  consistency.lpips_share = 0.0   # of LPIPS in the distance; 0.5 in CTMSR [C]
  consistency.lpips = "vgg"       # network of LPIPS: "alex", "vgg" [C]

  # Phase II: exposure-weighted luminance-chrominance loss (ELC), eq. 12-15.
  config.elc = elc = ConfigDict()
  elc.ct_weight = 1.0             # of L_CT in phase II [C]
  elc.weighting = "exposure"      # "exposure" [P]; "uniform" for the ablation
  elc.kappa_l_lo = 3.0            # [P]
  elc.kappa_l_hi = 1.0            # [P]
  elc.kappa_c_hi = 3.0            # [P]
  elc.kappa_c_lo = 0.5            # [P]
  elc.lambda_l = 0.01             # scale of w_L: L_ELC is in Lab units, L_CT is not [C]
  elc.lambda_c = 0.01             # scale of w_C [C]
  elc.chroma_base = 1.0           # chroma weight where well exposed; 0 = as printed [C]
  elc.exponent = 1.0              # a, of the masks in the weights [C]
  elc.dark_threshold = 0.2        # s_Y = sigmoid((threshold - Y) / softness) [C]
  elc.dark_softness = 0.1         # [C]
  elc.bright_threshold = 0.8      # h_Y = sigmoid((Y - threshold) / softness) [C]
  elc.bright_softness = 0.1       # [C]
  elc.specular_chroma = 5.0       # c0 of A_spec = 1 / (1 + C*/c0), Lab units [C]
  elc.epsilon = 1e-3              # of rho(x) = sqrt(x^2 + eps^2), Lab units [C]

  # Network.
  config.model = model = ConfigDict()
  model.base_width = 48           # channels at full resolution
  model.multipliers = (1, 2, 4, 4)  # three down- and three upsampling stages [P]
  model.blocks = 2                # residual blocks a level
  model.time_features = 32        # sines and cosines of the positional encoding of t
  model.tone_bins = 0             # of the statistics for a photo's tone curve [C]; 0 = no curve [P]
  model.tone_cells = 32           # a side of the photo, for a grid of curves [C]; 0 = no grid [P]
  model.patch = 1                 # side of the squares folded into channels; 1 = none [P]
  model.dtype = "bfloat16"        # of the activations: "float32", "bfloat16"

  # Optimiser.
  config.optim = optim = ConfigDict()
  optim.peak_lr = 2e-4            # [C]; paper 5e-5
  optim.final_lr = 1e-7           # end of the cosine [P]
  optim.warmup_steps = 500        # [C]
  optim.phase2_lr = 5e-5          # start of phase II's own cosine [C]
  optim.b1 = 0.9                  # [P]
  optim.b2 = 0.999                # [P]
  optim.weight_decay = 1e-2       # AdamW [C]
  optim.grad_clip = 1.0           # global norm; 0 = off [C]
  optim.accumulate = 1            # microbatches a step [C]
  optim.ema_decay = 0.999         # of the weights that evaluation and inference use [C]

  # The run.
  config.train = train = ConfigDict()
  train.init_from = ""            # weights to start from: name, file or run; "" = random
  train.batch_size = 16           # of all devices together; paper 4
  train.phase1_steps = 100_000    # CT alone
  train.phase2_steps = 20_000     # ELC, with CT kept
  train.log_every = 50            # steps
  train.save_every = 1000         # steps
  train.validate_every = 2000     # steps
  train.validation_records = 64   # held-out records a validation
  train.keep_checkpoints = 3      # newest kept, besides the best

  # Data.
  config.data = data = ConfigDict()
  data.source = "hdr_folder"      # "hdr_folder", "pairs", "procedural", "prepared"
  data.root = ""                  # folder of the source; "procedural" needs none
  data.dataset = "folder"         # of "pairs": a key of datasets/catalogue.py, "hdr_real" ...
  data.response_curves = ""       # of "hdr_synth": DoRF's dorfCurves.txt; "" = the camera's curves
  data.projection = "auto"        # of "hdr_folder": "auto" (2:1 is a panorama), "panorama", "photo"
  data.validation_share = 0.1     # of the scene groups, when the source names no split
  data.crop = 256                 # pixels; paper 256
  data.workers = 4                # processes; 0 = in the main process
  data.cache_gib = 2.0            # decoded HDR images kept, per process
  data.shuffle_seed = 0

  # Camera model of HDR sources: each pair is a range to draw from.
  config.camera = camera = ConfigDict()
  camera.fov = (30.0, 100.0)      # horizontal field of view of panoramas, degrees
  camera.pitch = (-40.0, 40.0)    # degrees
  camera.roll = (-5.0, 5.0)       # degrees
  camera.clipped_share = (0.005, 0.2)  # of pixels above the sensor's clip
  camera.underexposed = 0.1       # share of the photos that are darker than that ...
  camera.underexposure = (0.0, 3.0)  # ... by so many stops
  camera.response = "training"    # of the ranges below; "srgb", "filmic": held out, to evaluate [C]
  camera.reading = "both"         # half "display" (the photo is sRGB), half "camera" (undone) [C]
  camera.response_gamma = (0.85, 1.18)  # exponent on the sRGB curve's output
  camera.response_s = (0.0, 0.25)  # weight of the S-curve after it
  camera.response_film = (0.0, 1.0)  # weight of the film curve beside these two
  camera.film_exponent = (0.75, 1.05)  # of the film curve
  camera.film_sigma = (0.4, 0.9)  # of the film curve: small = high contrast
  camera.response_channel = 0.02  # spread of the gamma between channels
  camera.white_balance = 0.06     # spread of the channel gains, log units
  camera.saturation = (0.85, 1.15)
  camera.vignetting = (0.0, 0.2)  # loss in the corners
  camera.blur = (0.0, 0.7)        # Gaussian sigma, pixels
  camera.read_noise = (0.0, 0.003)  # linear, 1 = clip
  camera.shot_noise = (0.0, 0.006)  # linear, at signal 1
  camera.jpeg_quality = (60, 98)  # 100 = no JPEG
  camera.chroma_subsampling = 0.5  # probability of 4:2:0

  return config.lock()  # a misspelt field of a config that is made from this one is an error
