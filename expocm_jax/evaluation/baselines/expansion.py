"""Inverse tone mapping without training: the baselines that stand in every table.

Contract
  ldr   [..., H, W, 3] float, display-referred sRGB in [0, 1].
  result  the same shape: linear BT.709 relative radiance, 1.0 = where the photo clips.
All keep the hue: they scale a pixel's three channels by a factor of its luminance.
"""

import jax
import jax.numpy as jnp

from expocm_jax.ops.color import luminance, srgb_to_linear

# Report ITU-R BT.2446-1, method C: parameters of the tone curve, and the SDR luminance in cd/m^2
# of its inflection. The report's k1 is not here: 1 / k1 scales both parts of the curve alike, and
# the slope of one of the linear part, in relative radiance, absorbs it.
_K2, _K3, _K4 = 15.09968, 0.74204, 78.99439
_INFLECTION = 58.5
_SDR_WHITE = 100.0  # cd/m^2


def linear(ldr: jax.Array) -> jax.Array:
  """The photo, linearised: nothing is added. What every method has to beat."""
  return srgb_to_linear(ldr)


def bt2446c(ldr: jax.Array) -> jax.Array:
  """Report ITU-R BT.2446-1, method C, read from SDR to HDR.

  The tone curve is linear up to an SDR luminance of 58.5 cd/m^2 (white: 100) and exponential
  above. Crosstalk is 0, so chromaticities stay. The linear part has slope one in relative
  radiance; white reaches 2.78.
  """
  rgb = srgb_to_linear(ldr)
  sdr = _SDR_WHITE * luminance(rgb)
  bright = jnp.maximum(sdr, _INFLECTION)  # keeps the branch that is not taken finite
  expanded = _INFLECTION * (jnp.exp((bright - _K4) / _K2) + _K3)
  return rgb * jnp.where(sdr < _INFLECTION, 1.0, expanded / bright)


def akyuz(ldr: jax.Array, *, peak: float, gamma: float = 1.0) -> jax.Array:
  """The global expansion of Akyuz et al., SIGGRAPH 2007: L' = k ((L - min) / (max - min))^gamma.

  Args:
    ldr: the photo; minimum and maximum are of each image.
    peak: k, the luminance that the brightest pixel gets.
    gamma: 1 is what the authors' study preferred.

  Returns:
    Relative radiance, with the display's scale rather than the photo's: only results of protocols
    that align the exposure say something about it. A uniform image keeps its radiance.
  """
  rgb = srgb_to_linear(ldr)
  light = luminance(rgb)
  low, high = (f(light, axis=(-3, -2, -1), keepdims=True) for f in (jnp.min, jnp.max))
  uniform = high <= low
  share = jnp.where(uniform, 1.0, light - low) / jnp.where(uniform, 1.0, high - low)
  factor = peak * share**gamma / jnp.maximum(light, 1e-6)
  return rgb * jnp.where(uniform, 1.0, factor)


OPERATORS = {"linear": linear, "bt2446c": bt2446c, "akyuz": akyuz}
LABELS = {
  "linear": "input, linearised",
  "bt2446c": "BT.2446-1 method C",
  "akyuz": "Akyüz et al. 2007",
}
