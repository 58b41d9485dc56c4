"""Image metrics: one number per image, over any leading batch axes.

Contract
  Images are [..., H, W, 3], floating point; `weights`, where given, are [..., H, W, 1] in [0, 1]
  and restrict a metric to a region (an exposure mask, say). Results are [...], one per image.
  An image whose weights sum to zero has no such region: its result is NaN, for the caller to
  leave out of an average.
  HDR inputs are relative radiance (linear BT.709, 1.0 = the sensor's clip).
Scores of different protocols are not comparable: print the protocol, normaliser and peak with them.
"""

import chex
import jax
import jax.numpy as jnp

from expocm_jax import color, tonemap


def psnr(
  pred: jax.Array, ref: jax.Array, *, peak: float, weights: jax.Array | None = None
) -> jax.Array:
  """Peak signal-to-noise ratio over the pixels and channels of each image.

  Args:
    pred: [..., H, W, 3].
    ref: [..., H, W, 3], in the same unit.
    peak: the value that counts as full signal, in that unit.
    weights: [..., H, W, 1] in [0, 1], or None for all pixels alike.

  Returns:
    [...] in dB; infinite, or far above 100, for identical images (a compiler that fuses
    operations may round the two sides differently); NaN where the weights sum to zero.
  """
  _check_images(pred, ref)
  error = jnp.mean((pred - ref) ** 2, axis=-1, keepdims=True)
  return -10.0 * jnp.log10(_image_mean(error, weights) / peak**2)


def psnr_mu(
  pred_hdr: jax.Array,
  ref_hdr: jax.Array,
  *,
  headroom: float = 16.0,
  mu: float = 5000.0,
  weights: jax.Array | None = None,
) -> jax.Array:
  """PSNR-mu in the `headroom` protocol: the domain that the network is trained in.

  Both images are divided by `headroom`, clipped to [0, 1] and mu-law encoded; the peak is 1. No
  alignment of exposure.

  Args:
    pred_hdr: [..., H, W, 3] relative radiance.
    ref_hdr: [..., H, W, 3] relative radiance.
    headroom: the largest relative radiance of the domain.
    mu: constant of the mu-law.
    weights: [..., H, W, 1] in [0, 1], or None for all pixels alike.

  Returns:
    [...] in dB; infinite, or far above 100, for identical images (a compiler that fuses
    operations may round the two sides differently); NaN where the weights sum to zero.
  """
  _check_images(pred_hdr, ref_hdr)
  pred, ref = (tonemap.mu_law(jnp.clip(x / headroom, 0.0, 1.0), mu=mu) for x in (pred_hdr, ref_hdr))
  return psnr(pred, ref, peak=1.0, weights=weights)


def delta_e_mean(
  pred_hdr: jax.Array, ref_hdr: jax.Array, *, mu: float = 5000.0, weights: jax.Array | None = None
) -> jax.Array:
  """Mean CIEDE2000 difference; there is no published protocol for HDR, this one is ours.

  Both images are divided by the reference's largest value, clipped to [0, 1], mu-law encoded and
  read as display-referred sRGB under D65.

  Args:
    pred_hdr: [..., H, W, 3] radiance, in any unit.
    ref_hdr: [..., H, W, 3] radiance, in the same unit.
    mu: constant of the mu-law.
    weights: [..., H, W, 1] in [0, 1], or None for all pixels alike.

  Returns:
    [...]; NaN where the weights sum to zero.
  """
  _check_images(pred_hdr, ref_hdr)
  peak = jnp.maximum(jnp.max(ref_hdr, axis=(-3, -2, -1), keepdims=True), 1e-6)  # a black reference
  pred, ref = (
    color.srgb_to_lab(tonemap.mu_law(jnp.clip(x / peak, 0.0, 1.0), mu=mu))
    for x in (pred_hdr, ref_hdr)
  )
  return _image_mean(color.delta_e_2000(pred, ref), weights)


def _check_images(pred: jax.Array, ref: jax.Array) -> None:
  chex.assert_equal_shape([pred, ref])
  chex.assert_axis_dimension(pred, -1, 3)
  chex.assert_type([pred, ref], float)


def _image_mean(values: jax.Array, weights: jax.Array | None) -> jax.Array:
  """Mean of [..., H, W, 1] over each image, weighted where weights are given: [...]."""
  axes = (-3, -2, -1)
  if weights is None:
    return jnp.mean(values, axis=axes)
  chex.assert_equal_shape([values, weights])
  return jnp.sum(weights * values, axis=axes) / jnp.sum(weights, axis=axes)
