"""Image metrics: one number per image, over any leading batch axes.

Contract
  `pred` and `ref` are [..., H, W, 3], floating point, in one unit. `weights`, [..., H, W, 1] in
  [0, 1] or None for all pixels alike, restrict a metric to a region; pixels of weight 0 may hold
  anything, NaN included, except for SSIM, which looks at neighbours.
  Results are [...], one per image; NaN where the weights of an image sum to zero: it has no such
  region, and the caller leaves it out of an average.
Which scale the images are in is the business of `evaluation.protocols`, except for
`psnr_mu_headroom`, `light_bias`, `peak_bias`, `texture` and `fidelity`, which are of relative
radiance. Scores of different protocols are not comparable: print the protocol, normaliser and peak
with them.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from expocm_jax.ops import color, regions, tone_curves
from expocm_jax.ops.order_statistics import kth_smallest

# Code value of 100 cd/m^2: the gfxdisp/pu21 convention. Dividing by the code of 1000 cd/m^2
# instead, as some do, reads 4.30 dB higher.
PU21_PEAK = 256.0
SSIM_WINDOW = 11  # pixels
_SSIM_SIGMA, _SSIM_K1, _SSIM_K2 = 1.5, 0.01, 0.03
_AXES = (-3, -2, -1)  # of one image
_BLACK = 2.0**-20  # relative radiance that counts as none, where a logarithm is taken
_FLAT = 0.01  # stops from pixel to pixel below which a reference has no texture


class Fidelity(NamedTuple):
  """Absolute difference to the photo, in codes of 8 bits, [...] each."""

  mean: jax.Array
  p99: jax.Array  # 99th percentile over pixels and channels


def psnr(
  pred: jax.Array, ref: jax.Array, *, peak: float, weights: jax.Array | None = None
) -> jax.Array:
  """Peak signal-to-noise ratio over pixels and channels, in dB.

  `peak` is the value that counts as full signal, in the unit of the images. The result is
  infinite, or far above 100, for identical images (a compiler that fuses operations may round the
  two sides differently).
  """
  _check_images(pred, ref)
  error = jnp.mean((pred - ref) ** 2, axis=-1, keepdims=True)
  return -10.0 * jnp.log10(_image_mean(error, weights) / peak**2)


def psnr_mu_headroom(
  pred_hdr: jax.Array,
  ref_hdr: jax.Array,
  *,
  headroom: float,
  mu: float,
  weights: jax.Array | None = None,
) -> jax.Array:
  """PSNR-mu in the `headroom` protocol, in dB: the domain that the network is trained in.

  Both images, linear BT.709 relative radiance, are divided by `headroom`, the largest of the
  domain, clipped to [0, 1] and mu-law encoded; the peak is 1. No alignment of exposure.
  """
  pred, ref = (
    tone_curves.mu_law(jnp.clip(x / headroom, 0.0, 1.0), mu=mu) for x in (pred_hdr, ref_hdr)
  )
  return psnr(pred, ref, peak=1.0, weights=weights)


def pu21_psnr(
  pred_nits: jax.Array, ref_nits: jax.Array, *, weights: jax.Array | None = None
) -> jax.Array:
  """PSNR in dB of the PU21 code values (Mantiuk, Azimi, PCS 2021) of RGB at a peak of 256.

  Images are absolute linear BT.709 in cd/m^2, of which [0.005, 10000] is kept.
  """
  codes = (tone_curves.pu21_encode(x) for x in (pred_nits, ref_nits))
  return psnr(*codes, peak=PU21_PEAK, weights=weights)


def pu21_ssim(
  pred_nits: jax.Array, ref_nits: jax.Array, *, weights: jax.Array | None = None
) -> jax.Array:
  """`ssim` of the PU21 code values of the luminance with a range of 256; images as `pu21_psnr`."""
  _check_images(pred_nits, ref_nits)
  codes = (tone_curves.pu21_encode(color.luminance(x)) for x in (pred_nits, ref_nits))
  return ssim(*codes, peak=PU21_PEAK, weights=weights)


def delta_e_2000_mean(
  pred_display: jax.Array, ref_display: jax.Array, *, weights: jax.Array | None = None
) -> jax.Array:
  """Mean CIEDE2000 difference of two images in [0, 1], read as sRGB under D65."""
  _check_images(pred_display, ref_display)
  pred, ref = (color.srgb_to_lab(x) for x in (pred_display, ref_display))
  return _image_mean(color.delta_e_2000(pred, ref), weights)


def ssim(
  pred: jax.Array, ref: jax.Array, *, peak: float, weights: jax.Array | None = None
) -> jax.Array:
  """Structural similarity with a Gaussian window of 11 x 11 pixels, averaged over channels.

  Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment", 2004: sigma 1.5, K1 0.01,
  K2 0.03, population covariance, windows inside the image only.

  Args:
    pred, ref: [..., H, W, C], any number of channels.
    peak: the range of the values, in the unit of the images.
    weights: how much the window centred at a pixel counts.

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
  values = jnp.mean(_ssim_map(pred, ref, peak), axis=-1, keepdims=True)
  if weights is not None:
    margin = SSIM_WINDOW // 2
    weights = weights[..., margin:-margin, margin:-margin, :]
  return _image_mean(values, weights)


def light_bias(
  pred_hdr: jax.Array, ref_hdr: jax.Array, *, weights: jax.Array | None = None
) -> jax.Array:
  """log2 of the mean luminance, prediction over reference, in stops: 0 is best, -1 half the light.

  Images are linear BT.709 in one unit, relative radiance where there is hardly any light.
  """
  _check_images(pred_hdr, ref_hdr)
  pred, ref = (_image_mean(color.luminance(x), weights) for x in (pred_hdr, ref_hdr))
  return _log2(pred) - _log2(ref)


def peak_bias(pred_hdr: jax.Array, ref_hdr: jax.Array) -> jax.Array:
  """log2 of the 99.9th percentile of luminance (nearest rank), prediction over reference, in stops.

  Images as of `light_bias`; over all pixels: 0 is best.
  """
  _check_images(pred_hdr, ref_hdr)
  count = pred_hdr.shape[-3] * pred_hdr.shape[-2]
  pred, ref = (
    kth_smallest(color.luminance(x), count - count // 1000)[..., 0, 0, 0]
    for x in (pred_hdr, ref_hdr)
  )
  return _log2(pred) - _log2(ref)


def texture(
  pred_hdr: jax.Array, ref_hdr: jax.Array, *, weights: jax.Array | None = None
) -> jax.Array:
  """Mean absolute difference of neighbours in log2 luminance, prediction over reference.

  1 is best, below it a region is too smooth. Neighbours are side by side or one above the other,
  both inside the region (the weight of a pair is the product of theirs). Images as of `light_bias`.

  Returns:
    [...]; NaN where there are no neighbours, or the reference differs by less than 0.01 stops.
  """
  _check_images(pred_hdr, ref_hdr)
  if weights is None:
    weights = jnp.ones_like(ref_hdr[..., :1])
  pairs = [first * second for first, second in _neighbours(weights)]
  total = sum(jnp.sum(weight, _AXES) for weight in pairs)

  def mean_step(image):
    stops = _log2(color.luminance(image))
    steps = (jnp.abs(second - first) for first, second in _neighbours(stops))
    weighted = (jnp.where(w > 0, w * step, 0.0) for w, step in zip(pairs, steps, strict=True))
    return sum(jnp.sum(values, _AXES) for values in weighted) / total

  pred, ref = mean_step(pred_hdr), mean_step(ref_hdr)
  textured = ref >= _FLAT  # False with NaN
  return jnp.where(textured, pred / jnp.where(textured, ref, 1.0), jnp.nan)


def fidelity(pred_hdr: jax.Array, ldr: jax.Array) -> Fidelity:
  """How far a result, shown as the photo was, is from it where the photo is well exposed.

  Args:
    pred_hdr: [..., H, W, 3] relative radiance, 1.0 = the photo's white; clipped to [0, 1] and
      encoded as sRGB, not rounded.
    ldr: [..., H, W, 3] in [0, 1], the photo after its reading; `regions.exposure_regions` tells
      where it is well exposed.

  Returns:
    Mean and 99th percentile (nearest rank), [...] each; NaN where no pixel is well exposed.
  """
  _check_images(pred_hdr, ldr)
  inside = regions.exposure_regions(ldr)["well_exposed"]
  shown = color.linear_to_srgb(jnp.clip(pred_hdr, 0.0, 1.0))
  codes = 255.0 * jnp.abs(shown - ldr)
  mean = _image_mean(jnp.mean(codes, axis=-1, keepdims=True), inside)
  count = 3 * jnp.sum(inside > 0, _AXES, keepdims=True, dtype=jnp.int32)
  p99 = kth_smallest(jnp.where(inside > 0, codes, jnp.inf), count - count // 100)
  return Fidelity(mean, jnp.where(count > 0, p99, jnp.nan)[..., 0, 0, 0])


def _log2(light: jax.Array) -> jax.Array:
  return jnp.log2(jnp.maximum(light, _BLACK))


def _neighbours(image: jax.Array) -> list[tuple[jax.Array, jax.Array]]:
  """Pixels and their neighbours, one below the other and side by side."""
  return [
    (image[..., :-1, :, :], image[..., 1:, :, :]),
    (image[..., :, :-1, :], image[..., :, 1:, :]),
  ]


def _ssim_map(pred: jax.Array, ref: jax.Array, peak: float) -> jax.Array:
  """SSIM of the windows that lie inside the image, [..., H - 10, W - 10, C]."""
  steps = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
  taps = np.exp(-0.5 * (steps / _SSIM_SIGMA) ** 2)
  # Variances are differences of squares: near zero they keep their digits in float32.
  shift = jnp.mean(ref, axis=(-3, -2), keepdims=True)
  x, y = pred - shift, ref - shift
  moments = _filter(jnp.stack([x, y, x * x, y * y, x * y]), taps / taps.sum())
  mean_x, mean_y, xx, yy, xy = moments
  structure = 2.0 * (xy - mean_x * mean_y) + (_SSIM_K2 * peak) ** 2
  contrast = (xx - mean_x**2) + (yy - mean_y**2) + (_SSIM_K2 * peak) ** 2
  mean_x, mean_y, c1 = mean_x + shift, mean_y + shift, (_SSIM_K1 * peak) ** 2
  return (2.0 * mean_x * mean_y + c1) * structure / ((mean_x**2 + mean_y**2 + c1) * contrast)


def _filter(images: jax.Array, taps: np.ndarray) -> jax.Array:
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
  if weights is None:
    return jnp.mean(values, axis=_AXES)
  chex.assert_equal_shape([values, weights])
  weighted = jnp.where(weights > 0, weights * values, 0.0)  # 0 * NaN is NaN
  return jnp.sum(weighted, axis=_AXES) / jnp.sum(weights, axis=_AXES)
