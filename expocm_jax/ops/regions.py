"""Regions of an evaluation: which pixels the camera lost, found from the LDR alone.

The thresholds are absolute and belong to 8-bit files: a region depends neither on the method that
is measured nor on the other pixels, unlike the soft masks of the trajectories (`method.masks`).
"""

import chex
import jax
import jax.numpy as jnp

from expocm_jax.colorimetry import CLIPPED

DARK = 25.5 / 255.0  # the largest channel of an 8-bit LDR is 25 or less
REGIONS = ("all", "clipped", "dark", "well_exposed")


def exposure_regions(ldr: jax.Array) -> dict[str, jax.Array]:
  """The regions of `REGIONS`, in that order; the last three share out the first.

  Args:
    ldr: [..., H, W, 3] in [0, 1], display-referred.

  Returns:
    Name to [..., H, W, 1], 1 inside and 0 outside, of the dtype of `ldr`. `clipped`: the largest
    channel is 254 or 255 of 255; `dark`: it is 25 or less; `well_exposed`: neither.

  Raises:
    AssertionError: the last axis is not 3, or the array is not floating-point.
  """
  chex.assert_axis_dimension(ldr, -1, 3)
  chex.assert_type(ldr, float)
  largest = jnp.max(ldr, axis=-1, keepdims=True)
  clipped, dark = largest >= CLIPPED, largest <= DARK
  masks = (jnp.ones_like(clipped), clipped, dark, ~(clipped | dark))
  return {name: mask.astype(ldr.dtype) for name, mask in zip(REGIONS, masks, strict=True)}
