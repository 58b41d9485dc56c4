"""Exposure-weighted luminance-chrominance loss (ELC) in CIE L*a*b*, eq. 12-15.

Contract: images are [..., H, W, 3] in the network's domain (mu-law, [0, 1]), read as
display-referred sRGB under D65, so L* is in [0, 100]; every loss is one number per image, [...].
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from expocm_jax.method.masks import ExposureMasks
from expocm_jax.ops.color import chroma, luminance, srgb_to_lab


class ElcWeights(NamedTuple):
  """Per-pixel weights of the two terms of ELC, constants for the gradient."""

  luminance: jax.Array  # [..., H, W, 1], w_L
  chroma: jax.Array  # [..., H, W, 1], w_C


def elc_loss(
  prediction: jax.Array,
  target: jax.Array,
  ldr: jax.Array,
  masks: ExposureMasks,
  *,
  epsilon: float,
  **weight_options,
) -> jax.Array:
  """L_ELC = E[w_L rho(dL)] + E[w_C rho(dC)], eq. 12-15.

  Args:
    prediction, target: [..., H, W, 3], the one-step output and x0.
    ldr: [..., H, W, 3] in [0, 1], display-referred.
    masks: the three exposure masks of `ldr`.
    epsilon: of rho, Lab units.
    **weight_options: of `elc_weights`.
  """
  target_lab = srgb_to_lab(target)
  weights = elc_weights(ldr, masks, target_lab, **weight_options)
  return _lab_distance(srgb_to_lab(prediction), target_lab, weights, epsilon)


def lab_loss(
  prediction: jax.Array, target: jax.Array, *, lambda_l: float, lambda_c: float, epsilon: float
) -> jax.Array:
  """ELC without exposure weights, for the ablation; arguments as of `elc_loss`."""
  chex.assert_equal_shape([prediction, target])
  ones = jnp.ones((*target.shape[:-1], 1), target.dtype)
  weights = ElcWeights(lambda_l * ones, lambda_c * ones)
  return _lab_distance(srgb_to_lab(prediction), srgb_to_lab(target), weights, epsilon)


def elc_weights(
  ldr: jax.Array,
  masks: ExposureMasks,
  target_lab: jax.Array,
  *,
  kappa_l_lo: float,
  kappa_l_hi: float,
  kappa_c_hi: float,
  kappa_c_lo: float,
  lambda_l: float,
  lambda_c: float,
  chroma_base: float,
  exponent: float,
  dark_threshold: float,
  dark_softness: float,
  bright_threshold: float,
  bright_softness: float,
  specular_chroma: float,
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


def _lab_distance(
  prediction_lab: jax.Array, target_lab: jax.Array, weights: ElcWeights, epsilon: float
) -> jax.Array:
  """Eq. 12 of Lab images; dC is the distance in the (a*, b*) plane, rho(x) = sqrt(x^2 + eps^2)."""
  chex.assert_equal_shape([prediction_lab, target_lab])
  square = jnp.square(prediction_lab - target_lab)
  d_l = jnp.sqrt(square[..., :1] + epsilon**2)
  # rho of the distance in one root: sqrt(da^2 + db^2) alone has no gradient at zero.
  d_c = jnp.sqrt(jnp.sum(square[..., 1:], axis=-1, keepdims=True) + epsilon**2)
  return jnp.mean(weights.luminance * d_l + weights.chroma * d_c, axis=(-3, -2, -1))
