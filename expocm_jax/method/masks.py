"""Soft exposure masks, eq. 5-7: which pixels are over-, under- and well exposed.

Contract: `ldr` is [..., H, W, 3] in [0, 1], display-referred sRGB; weights are [..., H, W, 1]
in [0, 1] and the three of them sum to one at every pixel of any image.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from expocm_jax.ops.color import luminance

# Floor of the luminance range b, a quarter of an 8-bit step: flat images stay finite, and tau b
# stays far above float32's rounding, which else decides which region a flat image belongs to.
MIN_RANGE = 1e-3


class ExposureMasks(NamedTuple):
  """Per-pixel weights of the three exposure regions."""

  over: jax.Array  # [..., H, W, 1], w_over
  under: jax.Array  # [..., H, W, 1], w_under
  good: jax.Array  # [..., H, W, 1], w_good


class ExposureLevels(NamedTuple):
  """Luminance percentiles of whole images, in [0, 1]."""

  low: jax.Array  # [..., 1, 1, 1]
  high: jax.Array  # [..., 1, 1, 1]


def exposure_levels(ldr: jax.Array, *, q_lo: float, q_hi: float) -> ExposureLevels:
  """Returns the `q_lo`-th and `q_hi`-th percentile (0-100) of each image's luminance."""
  chex.assert_axis_dimension(ldr, -1, 3)
  percentiles = jnp.asarray([q_lo, q_hi], ldr.dtype)
  low, high = jnp.percentile(luminance(ldr), percentiles, axis=(-3, -2, -1), keepdims=True)
  return ExposureLevels(low, high)


def masks_from_levels(
  ldr: jax.Array, levels: ExposureLevels, *, tau: float, gate: float
) -> ExposureMasks:
  """Exposure masks of (a part of) an image whose percentiles are known, eq. 5-7.

  Args:
    ldr: [..., H, W, 3] in [0, 1].
    levels: percentiles of the whole image, which need not be this part.
    tau: width of the soft step as a share of the luminance range, in (0, 0.5].
    gate: how far from white and black a pixel may be to count as lost, in [0, 1]. The paper's masks
      are relative: they take the brightest and the darkest of any photo, clipped or not. Ours fade
      from 1 at white (in the largest channel) to 0 at 1 - gate, and from 1 at black to 0 at gate;
      0 = the paper's.
  """
  y = luminance(ldr)
  width = jnp.maximum(levels.high - levels.low, MIN_RANGE)  # b
  # (l - y) / (tau b) with l = q_lo + tau b, and its mirror image: adding the small tau b to a
  # level first would round it away in flat images.
  m_low = jnp.clip(1.0 - (y - levels.low) / (tau * width), 0.0, 1.0)
  m_high = jnp.clip(1.0 - (levels.high - y) / (tau * width), 0.0, 1.0)
  over = m_high * (1.0 - m_low)
  under = m_low * (1.0 - m_high)
  if gate:
    largest = jnp.max(ldr, axis=-1, keepdims=True)
    over *= jnp.clip(1.0 - (1.0 - largest) / gate, 0.0, 1.0)
    under *= jnp.clip(1.0 - largest / gate, 0.0, 1.0)
  # 1 - max(over, under) of eq. 7 is the same, as only one of them is above zero, except where
  # the floor of b lets the two steps overlap: there only the sum keeps the total at one.
  return ExposureMasks(over, under, 1.0 - (over + under))


def exposure_masks(
  ldr: jax.Array, *, tau: float, q_lo: float, q_hi: float, gate: float
) -> ExposureMasks:
  """Exposure masks of whole images, eq. 5-7.

  Args:
    ldr: [..., H, W, 3] in [0, 1].
    tau: width of the soft step as a share of the luminance range, in (0, 0.5].
    q_lo: percentile (0-100) of the luminance that starts the dark end.
    q_hi: percentile (0-100) of the luminance that starts the bright end.
    gate: as of `masks_from_levels`.

  Raises:
    AssertionError: the last axis of `ldr` is not 3.
  """
  levels = exposure_levels(ldr, q_lo=q_lo, q_hi=q_hi)
  return masks_from_levels(ldr, levels, tau=tau, gate=gate)


def merge_pathological(masks: ExposureMasks) -> ExposureMasks:
  """The two-mask variant: dark pixels join the over-exposed region."""
  return ExposureMasks(masks.over + masks.under, jnp.zeros_like(masks.under), masks.good)


def ignore_exposure(masks: ExposureMasks) -> ExposureMasks:
  """The uniform variant (eq. 3): every pixel counts as well exposed."""
  zeros = jnp.zeros_like(masks.good)
  return ExposureMasks(zeros, zeros, jnp.ones_like(masks.good))
