"""Camera-response correction: the tone curve and colour shift that a method cannot know, undone.

A single LDR does not tell the camera's response, so much of a prediction's error is one smooth
curve per image. Hanji, Mantiuk, Eilertsen, Hajisharif, Unger, "Comparison of single image HDR
reconstruction methods - the caveats of quality assessment" (SIGGRAPH 2022), and Eilertsen et al.,
"How to cheat with metrics in single-image HDR reconstruction" (arXiv 2108.08713), fit that curve to
the reference before they measure. Facts after crf_correction.m of gfxdisp/pu21 (BSD-3):

  luminance     a cubic (4 coefficients) of the PQ code (SMPTE ST 2084), plain least squares
  chromaticity  u' and v' of CIE 1976, each a polynomial in u'^3, v'^3, u'^2, v'^2, u'v', u', v', 1
                (16 coefficients), least squares with a ridge of 0.01 N / K (N pixels, K = 8) that
                pulls towards the identity; u' and v' are scaled by 410/255 there, which sets the
                strength of the ridge

Our images are relative, so this is its mode for images that are not calibrated (normalize = 1):
each of the two is first divided by its own median, of all values of all channels, and brought to
500 cd/m^2; what comes out goes back to the unit of the reference. A wrong exposure costs nothing.
As there, values below 0.005 cd/m^2 are raised to it, and nothing is cut at the 10000 cd/m^2 of PQ,
whose formula goes on above; the end is the 1e8 cd/m^2 that also end its colour conversion.
Deviations: of an even number of values the lower middle one is the median; where the median is 0
(half of the image is black) it is that of the values above 0, instead of a division by 0.

Accuracy in float32: both fits are of the difference to the identity, so a perfect prediction
comes back unchanged up to the rounding of PQ and back (2e-5 relative). The cubic is fitted with
polynomials made orthogonal on the image's own values (Forsythe 1957), one at a time: no normal
equations, no matrix to invert, and an image of one grey level simply has no higher terms. The
ridge keeps the 8 x 8 system of the chromaticities well conditioned.
"""

import math

import chex
import jax
import jax.numpy as jnp

from expocm_jax.ops import color
from expocm_jax.ops.order_statistics import kth_smallest
from expocm_jax.ops.tone_curves import PQ_RANGE, pq_decode, pq_encode

MEDIAN_NITS = 500.0  # cd/m^2
_TINY = 1e-12  # a median below this is that of a black image
_RIDGE = 0.01
_UV_SCALE = 410.0 / 255.0


def correct_response(pred_hdr: jax.Array, ref_hdr: jax.Array) -> jax.Array:
  """The prediction after the correction that brings it nearest to the reference.

  Args:
    pred_hdr, ref_hdr: [..., H, W, 3] linear BT.709, each in any unit.

  Returns:
    [..., H, W, 3] in the unit of the reference, at least 0.
  """
  chex.assert_equal_shape([pred_hdr, ref_hdr])
  chex.assert_axis_dimension(pred_hdr, -1, 3)
  chex.assert_type([pred_hdr, ref_hdr], float)
  ref_scale = _calibration(ref_hdr)
  pred_y, pred_uv = _to_luminance_uv(jnp.clip(pred_hdr * _calibration(pred_hdr), *PQ_RANGE))
  ref_y, ref_uv = _to_luminance_uv(jnp.clip(ref_hdr * ref_scale, *PQ_RANGE))
  luminance = pq_decode(_fit_cubic(pq_encode(pred_y), pq_encode(ref_y)))
  return _to_rgb(luminance, _fit_chromaticity(pred_uv, ref_uv)) / ref_scale


def _calibration(image: jax.Array) -> jax.Array:
  """The factor that brings the median to MEDIAN_NITS, [..., 1, 1, 1]; a black image keeps its."""
  count = math.prod(image.shape[-3:])
  black = jnp.sum(image <= 0, axis=(-3, -2, -1), keepdims=True)
  middle = (count + 1) // 2
  middle = jnp.where(middle > black, middle, black + (count - black + 1) // 2)
  median = kth_smallest(image, middle)
  return MEDIAN_NITS / jnp.where(median > _TINY, median, MEDIAN_NITS)


def _fit_cubic(x: jax.Array, y: jax.Array) -> jax.Array:
  """Least-squares cubic of x nearest to y, evaluated at x: [..., H, W, 1]."""

  def mean(values):
    return jnp.mean(values, axis=(-3, -2, -1), keepdims=True)

  centred = x - mean(x)
  spread = jnp.sqrt(mean(centred**2))
  levels = spread > 1e-5  # else one grey level, up to the rounding of PQ
  t = jnp.where(levels, centred / jnp.where(levels, spread, 1.0), 0.0)

  def remove_next(_, state):
    """Takes the part along one polynomial out of the residual, and goes on to the next."""
    residual, previous, polynomial, previous_power = state
    power = mean(polynomial**2)
    usable = power > 1e-9  # else zero on all pixels: the image has too few levels
    inverse = jnp.where(usable, 1.0 / jnp.where(usable, power, 1.0), 0.0)
    residual = residual - mean(residual * polynomial) * inverse * polynomial
    following = (t - mean(t * polynomial**2) * inverse) * polynomial
    following = jnp.where(usable, following - power / previous_power * previous, 0.0)
    return residual, polynomial, following, jnp.where(usable, power, 1.0)

  # A loop, as a compiler would otherwise compute each polynomial anew for every sum.
  start = (y - x, jnp.zeros_like(t), jnp.ones_like(t), jnp.ones_like(spread))
  return y - jax.lax.fori_loop(0, 4, remove_next, start)[0]


def _fit_chromaticity(x: jax.Array, y: jax.Array) -> jax.Array:
  """Ridge fit of the polynomial of x = (u', v') nearest to y, evaluated at x: [..., H, W, 2]."""
  u, v = x[..., :1], x[..., 1:]
  terms = jnp.concatenate([u**3, v**3, u**2, v**2, u * v, u, v, jnp.ones_like(u)], axis=-1)
  size, highest = terms.shape[-1], jax.lax.Precision.HIGHEST
  both = jnp.concatenate([terms, y - x], axis=-1)
  products = jnp.einsum("...hwi,...hwj->...ij", terms, both, precision=highest)
  products /= math.prod(x.shape[-3:-1])
  ridge = (_RIDGE / size) * jnp.eye(size, dtype=x.dtype)
  gram = products[..., :size] + jnp.broadcast_to(ridge, (*products.shape[:-1], size))
  factor = jnp.linalg.cholesky(gram)  # the ridge keeps it positive definite
  change = jax.scipy.linalg.cho_solve((factor, True), products[..., size:])
  return x + jnp.einsum("...hwi,...ij->...hwj", terms, change, precision=highest)


def _to_luminance_uv(rgb: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Linear RGB to luminance Y [..., 1] and scaled (u', v') [..., 2]."""
  xyz = color.linear_to_xyz(rgb)
  x, y, z = xyz[..., :1], xyz[..., 1:2], xyz[..., 2:]
  chromaticity = jnp.concatenate([4.0 * x, 9.0 * y], axis=-1) / (x + 15.0 * y + 3.0 * z)
  return y, _UV_SCALE * chromaticity


def _to_rgb(luminance: jax.Array, uv: jax.Array) -> jax.Array:
  """The inverse of `_to_luminance_uv`; colours outside the gamut are clipped to it."""
  u, v = uv[..., :1] / _UV_SCALE, jnp.maximum(uv[..., 1:] / _UV_SCALE, 1e-3)
  x = luminance * jnp.maximum(9.0 * u / (4.0 * v), 0.0)
  z = luminance * jnp.maximum((12.0 - 3.0 * u - 20.0 * v) / (4.0 * v), 0.0)
  xyz = jnp.concatenate([x, luminance, z], axis=-1)
  return jnp.clip(color.xyz_to_linear(xyz), 0.0, PQ_RANGE[1])
