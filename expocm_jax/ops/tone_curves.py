"""Tone curves: the mu-law of the network's domain, PU21's perceptually uniform codes, and PQ.

Contract
  Element-wise on floating-point arrays of any shape; the dtype is kept: use float32.
  mu_law, inverse_mu_law  [0, 1] onto [0, 1]; outside they continue as odd, mutually inverse
                          functions with finite gradients.
  pu21_encode             absolute luminance in cd/m^2, clipped to [0.005, 10000], to about
                          [0, 595]; 100 cd/m^2 gives 256.
  pq_encode, pq_decode    absolute luminance in cd/m^2, [0, 10000] onto [0, 1] (SMPTE ST 2084); the
                          formula goes on above 10000.
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

PQ_RANGE = (0.005, 1e8)  # cd/m^2, what `pq_decode` gives
_PQ_RANGE_CODES = (0.0150763990, 1.6893720779)
_PQ_M1, _PQ_M2 = 2610.0 / 16384.0, 2523.0 / 32.0
_PQ_C3 = 2392.0 / 128.0
_PQ_GAP = 672.0 / 4096.0  # 1 - c1 = c2 - c3


def mu_law(x: jax.Array, *, mu: float) -> jax.Array:
  """T(x) = log(1 + mu x) / log(1 + mu), for x >= 0; odd for negative x."""
  chex.assert_type(x, float)
  sign = jnp.where(x < 0, -1.0, 1.0)  # jnp.sign would zero the gradient at black
  return (sign * jnp.log1p(mu * (sign * x)) / jnp.log1p(mu)).astype(x.dtype)


def inverse_mu_law(x: jax.Array, *, mu: float) -> jax.Array:
  """The inverse of `mu_law`: ((1 + mu)^x - 1) / mu, for x >= 0; odd for negative x."""
  chex.assert_type(x, float)
  sign = jnp.where(x < 0, -1.0, 1.0)
  return (sign * jnp.expm1((sign * x) * jnp.log1p(mu)) / mu).astype(x.dtype)


def pu21_encode(nits: jax.Array) -> jax.Array:
  """Absolute luminance, or each absolute RGB channel, in cd/m^2 to PU21 code values."""
  chex.assert_type(nits, float)
  p1, p2, p3, p4, p5, p6, p7 = _PU21
  power = jnp.clip(nits, *_PU21_RANGE) ** p4
  return jnp.maximum(p7 * (((p1 + p2 * power) / (1.0 + p3 * power)) ** p5 - p6), 0.0)


def pq_encode(nits: jax.Array) -> jax.Array:
  """Absolute luminance in cd/m^2, at least 0, to PQ code values."""
  chex.assert_type(nits, float)
  power = (nits / 10000.0) ** _PQ_M1
  return jnp.exp(_PQ_M2 * jnp.log1p(-_PQ_GAP * (1.0 - power) / (1.0 + _PQ_C3 * power)))


def pq_decode(code: jax.Array) -> jax.Array:
  """PQ code values, clipped to those of `PQ_RANGE`, to absolute luminance in cd/m^2."""
  chex.assert_type(code, float)
  base = jnp.expm1(jnp.log(jnp.clip(code, *_PQ_RANGE_CODES)) / _PQ_M2)
  return 10000.0 * ((_PQ_GAP + base) / (_PQ_GAP - _PQ_C3 * base)) ** (1.0 / _PQ_M1)
