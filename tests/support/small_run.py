"""A run small enough for tests: two levels of four channels, no grid, 16-pixel made-up scenes."""

import jax
import numpy as np

from configs import smoke
from expocm_jax.checkpoints import weights
from expocm_jax.method.expocm import Method


def config(**train):
  """The config; keyword arguments replace fields of `config.train`."""
  config = smoke.get_config()
  config.model.multipliers = (1, 2)
  config.model.time_features = 8
  config.model.tone_cells = 0  # half of the time to compile, and it has tests of its own
  config.data.crop = 16
  config.train.update(phase1_steps=12, phase2_steps=6, save_every=4)
  config.train.update(train)
  return config


def save_untrained(path):
  """Writes the weights of a fresh network; returns the path."""
  weights.save_weights(path, Method.from_config(config()).init_params(jax.random.key(0)), config())
  return path


def batch(size=8, crop=16, seed=0):
  """A batch of smooth random images, partly brighter than the sensor's clip."""
  rng = np.random.default_rng(seed)
  coarse = rng.uniform(0.0, 2.0, (size, crop // 4, crop // 4, 3)) ** 3
  hdr = np.kron(coarse, np.ones((1, 4, 4, 1))).astype(np.float32)
  return {"hdr": hdr, "ldr": np.clip(hdr, 0.0, 1.0) ** np.float32(1 / 2.2)}
