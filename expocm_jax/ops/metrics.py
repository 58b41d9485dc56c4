"""Image metrics: one number per image, over any leading batch axes.

Contract
  Images are [..., H, W, 3], floating point; `weights`, where given, are [..., H, W, 1] in [0, 1]
  and restrict a metric to a region: an exposure region, or the pixels of a padded image that are
  real. Pixels of weight 0 may hold anything, NaN included (SSIM, which looks at neighbours, takes
  `valid` for that). Results are [...], one per image.
  An image whose weights sum to zero has no such region: its result is NaN, for the caller to
  leave out of an average.
Which scale the images are in is the business of `protocols`, except for `psnr_mu_headroom`. Scores
of different protocols are not comparable: print the protocol, normaliser and peak with them.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from expocm_jax.ops import color, tone_curves

PU21_PEAK = 256.0  # code value of 100 cd/m^2: the gfxdisp/pu21 convention
SSIM_WINDOW = 11  # pixels
_SSIM_SIGMA, _SSIM_K1, _SSIM_K2 = 1.5, 0.01, 0.03


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


def psnr_mu_headroom(
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
    pred_hdr: [..., H, W, 3] relative radiance (linear BT.709, 1.0 = the sensor's clip).
    ref_hdr: [..., H, W, 3] relative radiance.
    headroom: the largest relative radiance of the domain.
    mu: constant of the mu-law.
    weights: [..., H, W, 1] in [0, 1], or None for all pixels alike.

  Returns:
    [...] in dB, as `psnr`.
  """
  _check_images(pred_hdr, ref_hdr)
  pred, ref = (
    tone_curves.mu_law(jnp.clip(x / headroom, 0.0, 1.0), mu=mu) for x in (pred_hdr, ref_hdr)
  )
  return psnr(pred, ref, peak=1.0, weights=weights)


def pu21_psnr(
  pred_nits: jax.Array, ref_nits: jax.Array, *, weights: jax.Array | None = None
) -> jax.Array:
  """PSNR of PU21 code values of the RGB channels at a peak of 256.

  Source: Mantiuk, Azimi, "PU21", PCS 2021. Dividing by the code of 1000 cd/m^2 instead, as some
  do, reads 4.30 dB higher.

  Args:
    pred_nits: [..., H, W, 3] absolute linear BT.709, in cd/m^2; [0.005, 10000] is kept.
    ref_nits: [..., H, W, 3], likewise.
    weights: [..., H, W, 1] in [0, 1], or None for all pixels alike.

  Returns:
    [...] in dB, as `psnr`.
  """
  codes = (tone_curves.pu21_encode(x) for x in (pred_nits, ref_nits))
  return psnr(*codes, peak=PU21_PEAK, weights=weights)


def pu21_ssim(
  pred_nits: jax.Array,
  ref_nits: jax.Array,
  *,
  weights: jax.Array | None = None,
  valid: jax.Array | None = None,
) -> jax.Array:
  """SSIM of PU21 code values of the luminance with a range of 256; arguments as `pu21_psnr`.

  Returns:
    [...], as `ssim`.
  """
  _check_images(pred_nits, ref_nits)
  codes = (tone_curves.pu21_encode(color.luminance(x)) for x in (pred_nits, ref_nits))
  return ssim(*codes, peak=PU21_PEAK, weights=weights, valid=valid)


def delta_e_2000_mean(
  pred_display: jax.Array, ref_display: jax.Array, *, weights: jax.Array | None = None
) -> jax.Array:
  """Mean CIEDE2000 difference of two images read as sRGB under D65.

  Args:
    pred_display: [..., H, W, 3] display-referred, in [0, 1].
    ref_display: [..., H, W, 3] display-referred, in [0, 1].
    weights: [..., H, W, 1] in [0, 1], or None for all pixels alike.

  Returns:
    [...]; NaN where the weights sum to zero.
  """
  _check_images(pred_display, ref_display)
  pred, ref = (color.srgb_to_lab(x) for x in (pred_display, ref_display))
  return _image_mean(color.delta_e_2000(pred, ref), weights)


def ssim(
  pred: jax.Array,
  ref: jax.Array,
  *,
  peak: float,
  weights: jax.Array | None = None,
  valid: jax.Array | None = None,
) -> jax.Array:
  """Structural similarity with a Gaussian window of 11 x 11 pixels, averaged over channels.

  Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment", 2004: sigma 1.5, K1 0.01,
  K2 0.03, population covariance, windows that lie wholly inside the image.

  Args:
    pred: [..., H, W, C], any number of channels.
    ref: [..., H, W, C], in the same unit.
    peak: the range of the values, in that unit.
    weights: [..., H, W, 1] in [0, 1]: how much the window centred there counts; None = all alike.
    valid: [..., H, W, 1] of 0 and 1: windows that touch a 0 do not count, and those pixels may
      hold anything. For padded images; None = all are real.

  Returns:
    [...], 1 for identical images; NaN where the weights of all windows sum to zero.

  Raises:
    ValueError: the images are smaller than the window.
  """
  chex.assert_equal_shape([pred, ref])
  chex.assert_type([pred, ref], float)
  if min(pred.shape[-3:-1]) < SSIM_WINDOW:
    height, width = pred.shape[-3:-1]
    raise ValueError(
      f"SSIM needs at least {SSIM_WINDOW} x {SSIM_WINDOW} pixels: {height} x {width}"
    )
  if valid is not None:
    pred, ref = jnp.where(valid > 0, pred, 0.0), jnp.where(valid > 0, ref, 0.0)
  values = jnp.mean(_ssim_map(pred, ref, peak), axis=-1, keepdims=True)
  margin = SSIM_WINDOW // 2
  if weights is not None:
    weights = weights[..., margin:-margin, margin:-margin, :]
  if valid is not None:
    whole = 1.0 - jnp.sign(_slide(1.0 - valid, np.ones(SSIM_WINDOW)))
    weights = whole if weights is None else weights * whole
  return _image_mean(values, weights)


def _ssim_map(pred: jax.Array, ref: jax.Array, peak: float) -> jax.Array:
  """SSIM of the windows that lie inside the image, [..., H - 10, W - 10, C]."""
  steps = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
  taps = np.exp(-0.5 * (steps / _SSIM_SIGMA) ** 2)
  # Variances are differences of squares: near zero they keep their digits in float32.
  shift = jnp.mean(ref, axis=(-3, -2), keepdims=True)
  x, y = pred - shift, ref - shift
  moments = _slide(jnp.stack([x, y, x * x, y * y, x * y]), taps / taps.sum())
  mean_x, mean_y, xx, yy, xy = moments
  structure = 2.0 * (xy - mean_x * mean_y) + (_SSIM_K2 * peak) ** 2
  contrast = (xx - mean_x**2) + (yy - mean_y**2) + (_SSIM_K2 * peak) ** 2
  mean_x, mean_y, c1 = mean_x + shift, mean_y + shift, (_SSIM_K1 * peak) ** 2
  return (2.0 * mean_x * mean_y + c1) * structure / ((mean_x**2 + mean_y**2 + c1) * contrast)


def _slide(images: jax.Array, taps: np.ndarray) -> jax.Array:
  """Filters along height and width; only where all taps are inside: [..., H - 10, W - 10, C].

  Sums of shifted images rather than a convolution: full float32 on every device.
  """
  for axis in (images.ndim - 3, images.ndim - 2):
    size = images.shape[axis] - len(taps) + 1
    parts = (jax.lax.slice_in_dim(images, i, i + size, axis=axis) for i in range(len(taps)))
    images = sum(float(tap) * part for tap, part in zip(taps, parts, strict=True))
  return images


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
  weighted = jnp.where(weights > 0, weights * values, 0.0)  # 0 * NaN is NaN
  return jnp.sum(weighted, axis=axes) / jnp.sum(weights, axis=axes)
