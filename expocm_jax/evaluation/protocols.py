"""Evaluation protocols: how a prediction and its reference are brought to one scale.

The same prediction scores decibels apart under different normalisations, so each has a name, and
every score is printed with it. A name is BASE, BASE+gain or BASE+crf:

  headroom      both images / headroom, clipped to [0, 1]: the domain that the network is trained in
  mu-refmax     both / the largest value of the reference; what lies above 1 stays
  ntire21       both / the 99th percentile of the reference's values, then tanh (NTIRE 2021)
  singlehdr-p3  each image by itself: its 0.1 % smallest and largest values go to 1 and 999,
                negatives to 0, all / 999
  +gain         first the prediction times s = sum(p g) / sum(p p), over the pixels that the LDR
                did not clip: a wrong exposure costs nothing
  +crf          first camera-response correction (see `crf_correction`): a wrong exposure, tone
                curve or colour costs nothing, as far as one smooth curve per image undoes it

Contract
  Images are [..., H, W, 3], floating point; statistics are per image. A score is of
  `rescale(align(pred, ...), ref, ...)`, in which 1.0 is shown at PEAK_NITS.
"""

import math

import chex
import jax
import jax.numpy as jnp

from expocm_jax.colorimetry import CLIPPED
from expocm_jax.errors import UserError
from expocm_jax.evaluation.crf_correction import MEDIAN_NITS, correct_response
from expocm_jax.ops.order_statistics import kth_smallest

BASES = ("headroom", "mu-refmax", "ntire21", "singlehdr-p3")
ALIGNMENTS = ("", "gain", "crf")
PROTOCOLS = tuple(b + (f"+{a}" if a else "") for b in BASES for a in ALIGNMENTS)
PEAK_NITS = 1000.0  # what a display shows at 1.0 of a protocol's scale, cd/m^2
_TINY = 1e-12  # a scale below this is that of a black image


def parse(name: str) -> tuple[str, str]:
  """(base, alignment) of the protocol `name`, of BASES and ALIGNMENTS; UserError if unknown."""
  if name not in PROTOCOLS:
    raise UserError(f"protocol {name!r}: unknown; choose from {', '.join(PROTOCOLS)}")
  base, _, alignment = name.partition("+")
  return base, alignment


def describe(name: str, *, headroom: float, mu: float) -> str:
  """One sentence on the protocol `name`: alignment, normaliser, mu-law and peak."""
  base, alignment = parse(name)
  aligned = {
    "": "no alignment",
    "gain": "the prediction times the least-squares gain over pixels unclipped in the input",
    "crf": "the prediction after camera-response correction (Hanji et al. 2022), for which each "
    f"image's median is brought to {MEDIAN_NITS:g} cd/m2",
  }[alignment]
  normaliser = {
    "headroom": f"both / {headroom:g}, clipped to [0, 1]",
    "mu-refmax": "both / the reference's maximum, not clipped",
    "ntire21": "both / the reference's 99th percentile, tanh",
    "singlehdr-p3": "each image's 0.1 % smallest and largest values to 1 and 999, negatives to 0, "
    "/ 999",
  }[base]
  return (
    f"{aligned}; {normaliser}; the mu-law has mu = {mu:g}; 1.0 is shown at {PEAK_NITS:g} cd/m2."
  )


def align(pred_hdr: jax.Array, ref_hdr: jax.Array, ldr: jax.Array, *, alignment: str) -> jax.Array:
  """The prediction brought nearest to the reference, as far as the alignment allows.

  Args:
    pred_hdr, ref_hdr: [..., H, W, 3] relative radiance.
    ldr: [..., H, W, 3] in [0, 1], the input; it tells which pixels were clipped.
    alignment: one of ALIGNMENTS.

  Returns:
    [..., H, W, 3] relative radiance.
  """
  chex.assert_equal_shape([pred_hdr, ref_hdr, ldr])
  chex.assert_axis_dimension(ldr, -1, 3)
  chex.assert_type([pred_hdr, ref_hdr, ldr], float)
  if alignment == "crf":
    return correct_response(pred_hdr, ref_hdr)
  if alignment == "gain":
    unclipped = jnp.max(ldr, axis=-1, keepdims=True) < CLIPPED
    return pred_hdr * _gain(pred_hdr, ref_hdr, unclipped)
  return pred_hdr


def rescale(
  pred_hdr: jax.Array, ref_hdr: jax.Array, *, base: str, headroom: float
) -> tuple[jax.Array, jax.Array]:
  """Prediction, as `align` returns it, and reference on the scale of a protocol.

  Args:
    pred_hdr, ref_hdr: [..., H, W, 3] relative radiance.
    base: one of BASES.
    headroom: the largest relative radiance of the network's domain.

  Returns:
    (pred, ref), each [..., H, W, 3] linear. The second does not depend on the first.
  """
  chex.assert_equal_shape([pred_hdr, ref_hdr])
  pair = (pred_hdr, ref_hdr)
  if base == "headroom":
    return tuple(jnp.clip(image / headroom, 0.0, 1.0) for image in pair)
  if base == "singlehdr-p3":
    return tuple(map(_stretch, pair))
  if base == "mu-refmax":
    scale = jnp.max(ref_hdr, axis=(-3, -2, -1), keepdims=True)
  else:
    scale = _percentile_99(ref_hdr)
  scale = jnp.where(scale > _TINY, scale, 1.0)
  pred, ref = (image / scale for image in pair)
  return (jnp.tanh(pred), jnp.tanh(ref)) if base == "ntire21" else (pred, ref)


def _gain(pred: jax.Array, ref: jax.Array, where: jax.Array) -> jax.Array:
  """s = sum(p g) / sum(p p) over the pixels `where`, [..., 1, 1, 1]; 1 if there is nothing."""
  used = jnp.where(where, pred, 0.0)
  product, power = (
    jnp.sum(used * image, axis=(-3, -2, -1), keepdims=True) for image in (ref, pred)
  )
  defined = power > _TINY
  return jnp.where(defined, product / jnp.where(defined, power, 1.0), 1.0)


def _stretch(image: jax.Array) -> jax.Array:
  """`singlehdr-p3` of one image."""
  count = math.prod(image.shape[-3:])
  share = max(count // 1000, 1)
  low, high = kth_smallest(image, share), kth_smallest(image, count + 1 - share)
  stretched = (image - low) * (998.0 / (high - low + 1e-8)) + 1.0
  return jnp.maximum(stretched, 0.0) / 999.0


def _percentile_99(image: jax.Array) -> jax.Array:
  """99th percentile of all values, between order statistics as numpy does: [..., 1, 1, 1]."""
  last = math.prod(image.shape[-3:]) - 1
  below, hundredths = divmod(99 * last, 100)
  low, high = (kth_smallest(image, min(k, last) + 1) for k in (below, below + 1))
  return low + hundredths / 100 * (high - low)
