"""Training losses: the distance of consistency training (eq. 4) and ELC (eq. 12-15).

Contract: images are [..., H, W, 3] in the network's domain (mu-law, [0, 1]); every loss is one
scalar per image, [...].
"""

from collections.abc import Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from expocm_jax.method.masks import ExposureMasks
from expocm_jax.ops.color import chroma, luminance, srgb_to_lab

IMAGE_AXES = (-3, -2, -1)
HUBER_C = 0.00054  # for a mean over values; 0.00054 sqrt(n) for a sum, Song and Dhariwal 2023


def l2(prediction: jax.Array, target: jax.Array) -> jax.Array:
  """Mean squared difference [P]."""
  chex.assert_equal_shape([prediction, target])
  return jnp.mean(jnp.square(prediction - target), axis=IMAGE_AXES)


def charbonnier(prediction: jax.Array, target: jax.Array, *, epsilon: float = 1e-3) -> jax.Array:
  """Mean of sqrt(d^2 + epsilon^2): absolute error with a smooth minimum."""
  chex.assert_equal_shape([prediction, target])
  return jnp.mean(smooth_abs(prediction - target, epsilon), axis=IMAGE_AXES)


def pseudo_huber(prediction: jax.Array, target: jax.Array) -> jax.Array:
  """sqrt(|d|^2 + c^2) - c over a whole image of n values, c = 0.00054 sqrt(n), divided by sqrt(n).

  The constant is improved consistency training's (Song and Dhariwal 2023); the division keeps
  the value independent of the image's size.
  """
  return jnp.sqrt(l2(prediction, target) + HUBER_C**2) - HUBER_C


def regional_huber(
  prediction: jax.Array,
  target: jax.Array,
  masks: ExposureMasks,
  *,
  shares: Sequence[float] = (0.2, 0.2, 0.6),
) -> jax.Array:
  """Pseudo-Huber over each exposure region by itself, weighted by `shares`.

  Over a whole image a few percent of clipped pixels hardly count; here regions count by their
  share, not by their size.

  Args:
    prediction, target: [..., H, W, 3].
    masks: the three exposure masks of the photo.
    shares: weights of the over-, under- and well-exposed region, whatever their sum. A region of
      less than a thousandth of the image fades out, and the others have its share.
  """
  chex.assert_equal_shape([prediction, target])
  square = jnp.mean(jnp.square(prediction - target), axis=-1, keepdims=True)
  total, weights = 0.0, 0.0
  for mask, share in zip(masks, shares, strict=True):
    size = jnp.mean(mask, axis=IMAGE_AXES)
    error = jnp.mean(mask * square, axis=IMAGE_AXES) / (size + 1e-6)
    weight = share * size / (size + 1e-3)
    total += weight * (jnp.sqrt(error + HUBER_C**2) - HUBER_C)
    weights += weight
  return total / (weights + 1e-9)


DISTANCES = {"l2": l2, "charbonnier": charbonnier, "pseudo_huber": pseudo_huber}  # of two images


def smooth_abs(x: jax.Array, epsilon: float) -> jax.Array:
  """rho(x) = sqrt(x^2 + epsilon^2)."""
  return jnp.sqrt(jnp.square(x) + epsilon**2)


class ElcWeights(NamedTuple):
  """Per-pixel weights of the two terms of ELC, constants for the gradient."""

  luminance: jax.Array  # [..., H, W, 1], w_L
  chroma: jax.Array  # [..., H, W, 1], w_C


def display_lab(x: jax.Array) -> jax.Array:
  """CIE L*a*b* (D65) of a mu-law image read as display-referred sRGB, so L* is in [0, 100]."""
  return srgb_to_lab(x)


def elc_weights(
  ldr: jax.Array,
  masks: ExposureMasks,
  target_lab: jax.Array,
  *,
  kappa_l_lo: float = 3.0,
  kappa_l_hi: float = 1.0,
  kappa_c_hi: float = 3.0,
  kappa_c_lo: float = 0.5,
  lambda_l: float = 1.0,
  lambda_c: float = 1.0,
  chroma_base: float = 1.0,
  exponent: float = 1.0,
  dark_threshold: float = 0.2,
  dark_softness: float = 0.1,
  bright_threshold: float = 0.8,
  bright_softness: float = 0.1,
  specular_chroma: float = 5.0,
) -> ElcWeights:
  """Exposure weights of eq. 13-15: luminance leads in the dark, chroma in coloured highlights.

  Args:
    ldr: [..., H, W, 3] in [0, 1], display-referred.
    masks: the three exposure masks of `ldr`.
    target_lab: [..., H, W, 3], Lab of the ground truth; its chroma tells how near to white
      (specular) a highlight is.
    kappa_l_lo, kappa_l_hi, kappa_c_hi, kappa_c_lo: strengths [P].
    lambda_l, lambda_c: scales of the two weights.
    chroma_base: chroma weight of well-exposed pixels; 0 is eq. 15 as printed, which leaves
      them without any.
    exponent: a, applied to the masks.
    dark_threshold, dark_softness: of the dark gate s_Y, LDR luminance.
    bright_threshold, bright_softness: of the visibility of highlights h_Y, LDR luminance.
    specular_chroma: chroma at which a highlight counts half as specular, Lab units.
  """
  y = luminance(ldr)
  dark = jax.nn.sigmoid((dark_threshold - y) / dark_softness)  # s_Y
  visible = jax.nn.sigmoid((y - bright_threshold) / bright_softness)  # h_Y
  specular = 1.0 / (1.0 + chroma(target_lab) / specular_chroma)  # A_spec
  over, under = masks.over**exponent, masks.under**exponent
  w_l = lambda_l * (1.0 + kappa_l_lo * dark * under + kappa_l_hi * specular * over)
  w_c = lambda_c * (
    kappa_c_hi * over * (1.0 - specular) * visible
    + kappa_c_lo * under * (1.0 - dark)
    + chroma_base * masks.good
  )
  return jax.lax.stop_gradient(ElcWeights(w_l, w_c))


def uniform_weights(ldr: jax.Array) -> ElcWeights:
  """Weights of the plain Lab loss, for the ablation: one everywhere."""
  ones = jnp.ones_like(luminance(ldr))
  return ElcWeights(ones, ones)


def lab_loss(
  prediction_lab: jax.Array,
  target_lab: jax.Array,
  weights: ElcWeights,
  *,
  epsilon: float = 1e-3,
) -> jax.Array:
  """E[w_L rho(dL)] + E[w_C rho(dC)], eq. 12; dC is the distance in the (a*, b*) plane."""
  chex.assert_equal_shape([prediction_lab, target_lab])
  difference = prediction_lab - target_lab
  d_l = smooth_abs(difference[..., :1], epsilon)
  # rho of the distance in one root: sqrt(da^2 + db^2) alone has no gradient at zero.
  square = jnp.sum(jnp.square(difference[..., 1:]), axis=-1, keepdims=True)
  d_c = jnp.sqrt(square + epsilon**2)
  return jnp.mean(weights.luminance * d_l + weights.chroma * d_c, axis=IMAGE_AXES)


def elc_loss(
  prediction: jax.Array,
  target: jax.Array,
  ldr: jax.Array,
  masks: ExposureMasks,
  *,
  epsilon: float = 1e-3,
  **weight_options,
) -> jax.Array:
  """The exposure-weighted luminance-chrominance loss, eq. 12-15.

  Args:
    prediction, target: [..., H, W, 3], the one-step output and x0 (mu-law, [0, 1]).
    ldr: [..., H, W, 3] in [0, 1], display-referred.
    masks: the three exposure masks of `ldr`.
    epsilon: of rho, Lab units.
    **weight_options: of `elc_weights`.
  """
  target_lab = display_lab(target)
  weights = elc_weights(ldr, masks, target_lab, **weight_options)
  return lab_loss(display_lab(prediction), target_lab, weights, epsilon=epsilon)
