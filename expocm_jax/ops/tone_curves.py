"""Tone curves: the mu-law of the network's domain and PU21's perceptually uniform code values.

Contract
  Element-wise on floating-point arrays of any shape; the dtype is kept: use float32.
  mu_law, inverse_mu_law  [0, 1] onto [0, 1]; outside they continue as odd, mutually inverse
                          functions with finite gradients.
  pu21_encode             absolute luminance in cd/m^2, clipped to [0.005, 10000], to about
                          [0, 595]; 100 cd/m^2 gives 256.
An integer array raises AssertionError.
"""

import chex
import jax
import jax.numpy as jnp

# PU21, "banding_glare" (Mantiuk, Azimi, PCS 2021; parameters of gfxdisp/pu21).
_PU21 = (
  0.353487901,
  0.3734658629,
  8.277049286e-05,
  0.9062562627,
  0.09150303166,
  0.9099517204,
  596.3148142,
)
_PU21_RANGE = (0.005, 10000.0)  # cd/m^2


def mu_law(x: jax.Array, *, mu: float = 5000.0) -> jax.Array:
  """T(x) = log(1 + mu x) / log(1 + mu), for x >= 0; odd for negative x."""
  chex.assert_type(x, float)
  sign = jnp.where(x < 0, -1.0, 1.0)  # jnp.sign would zero the gradient at black
  return (sign * jnp.log1p(mu * (sign * x)) / jnp.log1p(mu)).astype(x.dtype)


def inverse_mu_law(x: jax.Array, *, mu: float = 5000.0) -> jax.Array:
  """The inverse of `mu_law`: ((1 + mu)^x - 1) / mu, for x >= 0; odd for negative x."""
  chex.assert_type(x, float)
  sign = jnp.where(x < 0, -1.0, 1.0)
  return (sign * jnp.expm1((sign * x) * jnp.log1p(mu)) / mu).astype(x.dtype)


def pu21_encode(y_cdm2: jax.Array) -> jax.Array:
  """Absolute luminance, or each absolute RGB channel, in cd/m^2 to PU21 code values.

  With RGB, PSNR is taken at a peak of 256 (the other convention divides by the code of
  1000 cd/m^2 and reads 4.30 dB higher).
  """
  chex.assert_type(y_cdm2, float)
  p1, p2, p3, p4, p5, p6, p7 = _PU21
  power = jnp.clip(y_cdm2, *_PU21_RANGE) ** p4
  return jnp.maximum(p7 * (((p1 + p2 * power) / (1.0 + p3 * power)) ** p5 - p6), 0.0)
