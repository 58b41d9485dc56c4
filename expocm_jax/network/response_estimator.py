"""The inverse of a camera's response, estimated from one photo.

What the photo tells of it, taken once of some pixels of the whole:
  tone    how often each level occurs in each channel, and how colourful pixels of each level are
          (`tone_curve.tone_statistics`);
  slopes  shading changes all channels of a surface by one ratio. Where a coloured surface has its
          channels at two levels, the changes that neighbouring pixels show in them are therefore
          in the ratio of the curve's slopes at these levels. (Local colour distributions as
          evidence of a response: Lin, Gu, Yamazaki, Shum, CVPR 2004.)

Levels are of the mu-law of the photo read as sRGB, [0, 1] onto [0, 1]: a change of level is about a
change in stops. The estimate is a curve from these levels to those of the linear light; where
nothing speaks against sRGB it is the identity.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from expocm_jax.colorimetry import CLIPPED, srgb_to_linear
from expocm_jax.network.layers import dense, random_kernels
from expocm_jax.network.tone_curve import hat_weights, tone_statistics, tone_sums

CODES = 256  # photos are looked at with 8 bits
STEP_SCALE = 0.3  # as `tone_curve.CURVE_SCALE`
RARE = 1e-4  # share of all changes below which a pair of levels tells nothing


def levels_of(linear: np.ndarray, *, mu: float) -> np.ndarray:
  """The mu-law level of linear light [...] in [0, 1]: log(1 + mu x) / log(1 + mu)."""
  return np.log1p(mu * linear) / np.log1p(mu)


def linear_of(levels: np.ndarray, *, mu: float) -> np.ndarray:
  """Linear light [...] of levels in [0, 1]."""
  return np.expm1(levels * np.log1p(mu)) / mu


def code_levels(*, mu: float) -> np.ndarray:
  """The level of each 8-bit code read as sRGB: [256] float32."""
  return levels_of(srgb_to_linear(np.arange(CODES) / (CODES - 1)), mu=mu).astype(np.float32)


def mu_of(config: ConfigDict) -> float:
  """mu of the levels: so that they are those of the network's domain, up to a factor."""
  return config.domain.mu / config.domain.headroom


def statistics(codes: np.ndarray, config: ConfigDict) -> np.ndarray:
  """What a photo [H, W, 3] uint8 tells of its response.

  Returns:
    [6 bins + n (n - 1) / 2] float32 of about unit size, `bins` and n = `slope_levels` being of
    `config.estimator`: the tone statistics, and the slopes at each pair of n steps of level.
  """
  y = code_levels(mu=mu_of(config))
  tone = tone_statistics(tone_sums(codes, y), y, config.estimator.bins)
  shares, differences = np.split(tone, 2)
  # As in `ToneCurve`: of some fifty bins most hold a few percent, most differences are a tenth.
  parts = (
    0.5 * np.log(shares + 1e-3) + 2.5,
    10.0 * differences,
    _slopes(codes, y, config.estimator.slope_levels),
  )
  return np.concatenate([part.ravel() for part in parts]).astype(np.float32)


def _slopes(codes: np.ndarray, y: np.ndarray, n: int) -> np.ndarray:
  """Per pair of steps i < j: log of the changes of level at i over those at j, [n (n - 1) / 2].

  Changes are those between neighbours, of pairs of channels of which one is at i and one at j.
  """
  changes = np.zeros(n * n)
  step = np.minimum((y * n).astype(np.int64), n - 1)
  for a, b in ((codes[1:], codes[:-1]), (codes[:, 1:], codes[:, :-1])):
    kept = np.maximum(a, b).max(axis=-1) < CLIPPED * (CODES - 1)
    a, b = a[kept], b[kept]
    change = np.abs(y[a] - y[b])
    place = step[(a.astype(np.int64) + b) // 2]
    for here in range(3):
      for there in {0, 1, 2} - {here}:
        pair = place[:, here] * n + place[:, there]
        changes += np.bincount(pair, change[:, here], minlength=n * n)
  changes = changes.reshape(n, n) / max(changes.sum(), 1e-6) + RARE
  return np.log(changes / changes.T)[np.triu_indices(n, 1)]


class ResponseEstimator(nn.Module):
  """From `statistics` to a curve a channel: heights at even knots over the levels."""

  features: int
  knots: int
  dropout: float  # in training

  @nn.compact
  def __call__(self, seen: jax.Array, *, training: bool = False) -> jax.Array:
    """The curves, rising from 0 to 1; the identity at first.

    Args:
      seen: [B, F] `statistics`.
      training: drops features; needs the key "dropout".

    Returns:
      [B, 3, knots], the level of the linear light at even knots over the photo's levels.
    """
    hidden = seen
    for _ in range(2):
      hidden = nn.silu(dense(self.features)(hidden))
      hidden = nn.Dropout(self.dropout, deterministic=not training)(hidden)
    steps = 3 * (self.knots - 1)
    out = dense(steps + 1, zero=True)(hidden)
    # One number for the whole curve says whether it is worth leaving sRGB.
    logits = STEP_SCALE * nn.sigmoid(2.0 * out[:, :1]) * out[:, 1:]
    rises = nn.softmax(logits.reshape(-1, 3, self.knots - 1))
    return jnp.pad(jnp.cumsum(rises, axis=-1), ((0, 0), (0, 0), (1, 0)))


def from_config(estimator: ConfigDict) -> ResponseEstimator:
  """The model of the section `estimator` of configs/response.py."""
  return ResponseEstimator(estimator.features, estimator.knots, estimator.dropout)


def init_params(config: ConfigDict, key: jax.Array) -> dict:
  """Fresh float32 parameters of that model, a nested dict of arrays."""
  n = config.estimator.slope_levels
  seen = jnp.zeros((1, 6 * config.estimator.bins + n * (n - 1) // 2))
  return random_kernels(from_config(config.estimator).init(key, seen)["params"], key)


def curve_table(heights: np.ndarray, *, mu: float) -> np.ndarray:
  """The linear light of each 8-bit code, [256, 3], by the curves [3, knots] of a photo."""
  curve = hat_weights(code_levels(mu=mu), heights.shape[-1]) @ np.asarray(heights, np.float64).T
  table = linear_of(curve, mu=mu)
  table[0], table[-1] = 0.0, 1.0  # to the last digit
  return table
