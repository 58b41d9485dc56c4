"""Colour: sRGB, linear BT.709, CIE XYZ, CIE L*a*b* and CIEDE2000, as pure functions on arrays.

Contract
  Colours lie along the last axis, of size 3; floating point, whose dtype is kept: use float32.
  sRGB      display-referred, nominally [0, 1] (IEC 61966-2-1).
  linear    BT.709 primaries, D65 white; 1.0 = reference white, values above 1 are allowed.
  XYZ       of the CIE 1931 2-degree observer; Y = 1 for linear white.
  Lab       L* in [0, 100] for colours in [0, 1]; D65 white.
  One number per pixel (`luminance`, `chroma`, `delta_e_2000`) keeps a trailing axis of size 1,
  so that it multiplies masks [..., H, W, 1] and images [..., H, W, 3] alike.
Values outside the nominal range are neither clipped nor refused: the transfer curves continue as
odd functions, and every gradient is finite for any colour, black and grey included.
A wrong last axis or an integer array raises AssertionError.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from expocm_jax.colorimetry import BT709_TO_XYZ, LUMA, XYZ_TO_BT709

_WHITE_XYZ = BT709_TO_XYZ.sum(axis=1).tolist()
_LAB_KNEE = 6.0 / 29.0
_TINY = 1e-20  # squared length below which a vector counts as zero: its direction is noise


def luminance(rgb: jax.Array) -> jax.Array:
  """0.2126 R + 0.7152 G + 0.0722 B of BT.709: [..., 3] to [..., 1], in the input's unit and range.

  Of linear light it is the luminance, of display-referred values the luma Y of eq. 5.
  """
  _check_color(rgb)
  red, green, blue = LUMA
  return red * rgb[..., 0:1] + green * rgb[..., 1:2] + blue * rgb[..., 2:3]


def srgb_to_linear(rgb: jax.Array) -> jax.Array:
  """Display-referred sRGB [..., 3] to linear light; IEC 61966-2-1, odd for negative values."""
  _check_color(rgb)
  sign = jnp.where(rgb < 0, -1.0, 1.0)
  x = sign * rgb
  low = x <= 0.04045
  power = ((jnp.where(low, 1.0, x) + 0.055) / 1.055) ** 2.4
  return (sign * jnp.where(low, x / 12.92, power)).astype(rgb.dtype)


def linear_to_srgb(rgb: jax.Array) -> jax.Array:
  """Linear light [..., 3] to display-referred sRGB; IEC 61966-2-1, odd for negative values."""
  _check_color(rgb)
  sign = jnp.where(rgb < 0, -1.0, 1.0)
  x = sign * rgb
  low = x <= 0.0031308
  power = 1.055 * jnp.where(low, 1.0, x) ** (1.0 / 2.4) - 0.055
  return (sign * jnp.where(low, 12.92 * x, power)).astype(rgb.dtype)


def linear_to_xyz(rgb: jax.Array) -> jax.Array:
  """Linear BT.709 [..., 3] to CIE XYZ [..., 3], Y = 1 for white."""
  return _multiply(BT709_TO_XYZ, rgb)


def xyz_to_linear(xyz: jax.Array) -> jax.Array:
  """CIE XYZ [..., 3] to linear BT.709 [..., 3], negative outside its gamut."""
  return _multiply(XYZ_TO_BT709, xyz)


def xyz_to_lab(xyz: jax.Array) -> jax.Array:
  """CIE XYZ [..., 3] to L*a*b* [..., 3] under D65 (CIE 15), straight below the knee."""
  _check_color(xyz)
  fx, fy, fz = (_lab_curve(xyz[..., i : i + 1] / white) for i, white in enumerate(_WHITE_XYZ))
  return jnp.concatenate([116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)], axis=-1)


def linear_to_lab(rgb: jax.Array) -> jax.Array:
  """Linear BT.709 [..., 3] to L*a*b* [..., 3] under D65."""
  return xyz_to_lab(linear_to_xyz(rgb))


def srgb_to_lab(rgb: jax.Array) -> jax.Array:
  """Display-referred sRGB [..., 3] to L*a*b* [..., 3] under D65."""
  return linear_to_lab(srgb_to_linear(rgb))


def chroma(lab: jax.Array) -> jax.Array:
  """C* = sqrt(a*^2 + b*^2) of Lab [..., 3], as [..., 1]; its gradient at grey is zero."""
  _check_color(lab)
  return _length(lab[..., 1:2], lab[..., 2:3])


def delta_e_2000(lab1: jax.Array, lab2: jax.Array) -> jax.Array:
  """CIEDE2000 difference of L*a*b* [..., 3] as [..., 1]; about 1 is just noticeable.

  Source: Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula", 2005, eq. 2-22, with
  kL = kC = kH = 1. Gradients are finite everywhere; between identical colours they are zero.
  """
  _check_color(lab1)
  _check_color(lab2)
  chex.assert_equal_shape([lab1, lab2])
  l1, a1, b1 = jnp.split(lab1, 3, axis=-1)
  l2, a2, b2 = jnp.split(lab2, 3, axis=-1)

  stretch = 1.5 - 0.5 * _rotation_gate((_length(a1, b1) + _length(a2, b2)) / 2.0)
  a1, a2 = stretch * a1, stretch * a2
  c1, c2 = _length(a1, b1), _length(a2, b2)
  hue_step, hue_mean = _hue_step_and_mean(_hue(a1, b1), _hue(a2, b2), (c1 > 0) & (c2 > 0))
  c_mean = (c1 + c2) / 2.0

  t = (
    1.0
    - 0.17 * jnp.cos(hue_mean - np.pi / 6)
    + 0.24 * jnp.cos(2.0 * hue_mean)
    + 0.32 * jnp.cos(3.0 * hue_mean + np.pi / 30)
    - 0.20 * jnp.cos(4.0 * hue_mean - 63.0 * np.pi / 180)
  )
  l_offset = ((l1 + l2) / 2.0 - 50.0) ** 2
  d_l = (l2 - l1) / (1.0 + 0.015 * l_offset / jnp.sqrt(20.0 + l_offset))
  d_c = (c2 - c1) / (1.0 + 0.045 * c_mean)
  d_h = 2.0 * _safe_sqrt(c1 * c2) * jnp.sin(hue_step / 2.0) / (1.0 + 0.015 * c_mean * t)
  angle = np.pi / 3 * jnp.exp(-(((hue_mean * 180.0 / np.pi - 275.0) / 25.0) ** 2))
  rotation = -2.0 * _rotation_gate(c_mean) * jnp.sin(angle)
  return _safe_sqrt(d_l**2 + d_c**2 + d_h**2 + rotation * d_c * d_h)


def _check_color(x: jax.Array) -> None:
  chex.assert_axis_dimension(x, -1, 3)
  chex.assert_type(x, float)


def _multiply(matrix: np.ndarray, color: jax.Array) -> jax.Array:
  _check_color(color)
  matrix = jnp.asarray(matrix, color.dtype)
  # TPUs, and GPUs with TF32, would otherwise multiply with 8 to 11 bits of mantissa.
  return jnp.einsum("...c,xc->...x", color, matrix, precision=jax.lax.Precision.HIGHEST)


def _lab_curve(t: jax.Array) -> jax.Array:
  low = t <= _LAB_KNEE**3
  root = jnp.cbrt(jnp.where(low, 1.0, t))
  return jnp.where(low, t / (3.0 * _LAB_KNEE**2) + 4.0 / 29.0, root)


def _safe_sqrt(x: jax.Array) -> jax.Array:
  """Square root; zero, with zero gradient, where x is (all but) zero."""
  positive = x > _TINY
  return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def _length(a: jax.Array, b: jax.Array) -> jax.Array:
  return _safe_sqrt(a**2 + b**2)


def _hue(a: jax.Array, b: jax.Array) -> jax.Array:
  """Angle in [0, 2 pi); 0, with zero gradient, for grey."""
  coloured = a**2 + b**2 > _TINY
  angle = jnp.arctan2(jnp.where(coloured, b, 0.0), jnp.where(coloured, a, 1.0))
  return jnp.where(angle < 0, angle + 2.0 * np.pi, angle)


def _hue_step_and_mean(h1, h2, coloured):
  """Signed step from h1 to h2 the short way round, and the mean hue, in radians."""
  step, total = h2 - h1, h1 + h2
  # Opposite hues count as "not beyond pi" (eq. 14); the margin covers float32 rounding.
  beyond = jnp.abs(step) > np.pi + 2e-6
  step = jnp.where(beyond, step - 2.0 * np.pi * jnp.sign(step), step)
  turn = jnp.where(total < 2.0 * np.pi, 2.0 * np.pi, -2.0 * np.pi)
  mean = jnp.where(beyond, total + turn, total) / 2.0
  return jnp.where(coloured, step, 0.0), jnp.where(coloured, mean, total)


def _rotation_gate(c: jax.Array) -> jax.Array:
  """sqrt(C^7 / (C^7 + 25^7)), written so that neither C = 0 nor a large C breaks it."""
  r = jnp.minimum(c, 1000.0) / 25.0  # the gate is 1 in float32 long before
  return r**3.5 / jnp.sqrt(1.0 + r**7)
