"""A network of four channels with random parameters, and a photo for it."""

import jax
import numpy as np

from configs import default
from expocm_jax.method.expocm import Method


def config(**model):
  """The config; keyword arguments replace fields of `config.model`."""
  config = default.get_config()
  config.model.update(base_width=4, multipliers=(1, 2), blocks=1, time_features=4, dtype="float32")
  config.model.tone_bins = 48
  config.consistency.keep = ()  # the network counts everywhere
  config.model.update(model)
  return config


def params(config):
  """Random everywhere, the last layer included: an untrained network would ignore its input."""
  shapes = jax.eval_shape(Method.from_config(config).init_params, jax.random.key(0))
  rng = np.random.default_rng(1)

  def draw(leaf):
    spread = max(1.0, np.prod(leaf.shape[:-1])) ** -0.5
    return rng.standard_normal(leaf.shape, np.float32) * np.float32(spread)

  return jax.tree.map(draw, shapes)


def photo():
  """Odd sides, structure at all scales, clipped and black parts: [77, 131, 3], of 8-bit codes."""
  rows, columns = np.mgrid[0:77, 0:131]
  waves = np.sin(rows / 9.0) * np.cos(columns / 13.0)
  noise = np.random.default_rng(0).random((77, 131, 3))
  image = np.clip(0.5 + 0.6 * waves[..., None] + 0.3 * (noise - 0.5), 0, 1)
  return np.rint(255 * image).astype(np.float32) / np.float32(255)
