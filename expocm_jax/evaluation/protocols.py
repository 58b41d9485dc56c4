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
  Images are [..., H, W, 3], floating point; statistics are per image. `valid`, [..., H, W, 1] of
  0 and 1, marks the real pixels of a padded image: no other pixel has any influence.
  After `normalise`, 1.0 is what a display of the stated peak shows at full drive.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from expocm_jax.errors import UserError
from expocm_jax.evaluation.crf_correction import MEDIAN_NITS, correct_response
from expocm_jax.ops.order_statistics import kth_smallest
from expocm_jax.ops.regions import CLIPPED

BASES = ("headroom", "mu-refmax", "ntire21", "singlehdr-p3")
ALIGNMENTS = ("", "gain", "crf")
PROTOCOLS = tuple(b + (f"+{a}" if a else "") for b in BASES for a in ALIGNMENTS)
_TINY = 1e-12  # a scale below this is that of a black image


class Protocol(NamedTuple):
  """A protocol, as `parse` makes it."""

  base: str  # one of BASES
  alignment: str  # one of ALIGNMENTS

  @property
  def name(self) -> str:
    return self.base + (f"+{self.alignment}" if self.alignment else "")


def parse(name: str) -> Protocol:
  """The protocol of that name.

  Raises:
    UserError: there is none.
  """
  if name not in PROTOCOLS:
    raise UserError(f"protocol {name!r}: unknown; choose from {', '.join(PROTOCOLS)}")
  base, _, alignment = name.partition("+")
  return Protocol(base, alignment)


def describe(name: str, *, headroom: float, mu: float, peak_nits: float) -> str:
  """One sentence on the protocol `name`: alignment, normaliser, mu-law and peak."""
  protocol = parse(name)
  alignment = {
    "": "no alignment",
    "gain": "the prediction times the least-squares gain over pixels unclipped in the input",
    "crf": "the prediction after camera-response correction (Hanji et al. 2022), for which each "
    f"image's median is brought to {MEDIAN_NITS:g} cd/m2",
  }[protocol.alignment]
  normaliser = {
    "headroom": f"both / {headroom:g}, clipped to [0, 1]",
    "mu-refmax": "both / the reference's maximum, not clipped",
    "ntire21": "both / the reference's 99th percentile, tanh",
    "singlehdr-p3": "each image's 0.1 % smallest and largest values to 1 and 999, negatives to 0, "
    "/ 999",
  }[protocol.base]
  return (
    f"{alignment}; {normaliser}; the mu-law has mu = {mu:g}; 1.0 is shown at {peak_nits:g} cd/m2."
  )


def normalise(
  protocol: Protocol,
  pred_hdr: jax.Array,
  ref_hdr: jax.Array,
  ldr: jax.Array,
  *,
  headroom: float,
  valid: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
  """Prediction and reference on the protocol's linear scale.

  Args:
    protocol: from `parse`.
    pred_hdr: [..., H, W, 3] relative radiance.
    ref_hdr: [..., H, W, 3] relative radiance.
    ldr: [..., H, W, 3] in [0, 1], the input; it tells which pixels were clipped.
    headroom: the largest relative radiance of the network's domain.
    valid: [..., H, W, 1] of 0 and 1; None = every pixel is real.

  Returns:
    (pred, ref), each [..., H, W, 3] linear. The second does not depend on the alignment.
  """
  pred = align(pred_hdr, ref_hdr, ldr, alignment=protocol.alignment, valid=valid)
  return rescale(pred, ref_hdr, base=protocol.base, headroom=headroom, valid=valid)


def align(
  pred_hdr: jax.Array,
  ref_hdr: jax.Array,
  ldr: jax.Array,
  *,
  alignment: str,
  valid: jax.Array | None = None,
) -> jax.Array:
  """The first half of `normalise`: the prediction brought nearest to the reference.

  Args:
    alignment: one of ALIGNMENTS; the others as in `normalise`.

  Returns:
    [..., H, W, 3] relative radiance; 0 on pixels that are not valid before a correction.
  """
  chex.assert_equal_shape([pred_hdr, ref_hdr, ldr])
  chex.assert_axis_dimension(ldr, -1, 3)
  chex.assert_type([pred_hdr, ref_hdr, ldr], float)
  valid = jnp.ones_like(ldr[..., :1]) if valid is None else valid
  pred, ref = (jnp.where(valid > 0, image, 0.0) for image in (pred_hdr, ref_hdr))
  if alignment == "crf":
    return correct_response(pred, ref, valid=valid)
  if alignment == "gain":
    unclipped = (jnp.max(ldr, axis=-1, keepdims=True) < CLIPPED) & (valid > 0)
    return pred * _gain(pred, ref, unclipped)
  return pred


def rescale(
  pred_hdr: jax.Array,
  ref_hdr: jax.Array,
  *,
  base: str,
  headroom: float,
  valid: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
  """The second half of `normalise`: both images on the scale of `base`, one of BASES."""
  chex.assert_equal_shape([pred_hdr, ref_hdr])
  valid = jnp.ones_like(ref_hdr[..., :1]) if valid is None else valid
  pred, ref = (jnp.where(valid > 0, image, 0.0) for image in (pred_hdr, ref_hdr))
  if base == "headroom":
    return jnp.clip(pred / headroom, 0.0, 1.0), jnp.clip(ref / headroom, 0.0, 1.0)
  if base == "singlehdr-p3":
    return _stretch(pred, valid), _stretch(ref, valid)
  if base == "mu-refmax":
    scale = jnp.max(ref, axis=(-3, -2, -1), keepdims=True)
  else:
    scale = _percentile_99(ref, valid)
  scale = jnp.where(scale > _TINY, scale, 1.0)
  pred, ref = pred / scale, ref / scale
  return (jnp.tanh(pred), jnp.tanh(ref)) if base == "ntire21" else (pred, ref)


def _gain(pred: jax.Array, ref: jax.Array, where: jax.Array) -> jax.Array:
  """s = sum(p g) / sum(p p) over the pixels `where`, [..., 1, 1, 1]; 1 if there is nothing."""
  used = jnp.where(where, pred, 0.0)
  product, power = (
    jnp.sum(used * image, axis=(-3, -2, -1), keepdims=True) for image in (ref, pred)
  )
  there = power > _TINY
  return jnp.where(there, product / jnp.where(there, power, 1.0), 1.0)


def _stretch(image: jax.Array, valid: jax.Array) -> jax.Array:
  """`singlehdr-p3` of one image."""
  count = 3 * jnp.sum(valid > 0, axis=(-3, -2, -1))
  share = jnp.maximum(count // 1000, 1)
  low = kth_smallest(image, valid, share)
  high = kth_smallest(image, valid, count + 1 - share)
  stretched = (image - low) * (998.0 / (high - low + 1e-8)) + 1.0
  return jnp.maximum(stretched, 0.0) / 999.0


def _percentile_99(image: jax.Array, valid: jax.Array) -> jax.Array:
  """99th percentile of all values, between order statistics as numpy does: [..., 1, 1, 1]."""
  last = 3 * jnp.sum(valid > 0, axis=(-3, -2, -1)) - 1
  # 0.99 * last in integers: in float32 it would lose the fraction in large images.
  below = 99 * (last // 100) + 99 * (last % 100) // 100
  fraction = (99 * (last % 100) % 100).astype(image.dtype) / 100.0
  low = kth_smallest(image, valid, below + 1)
  high = kth_smallest(image, valid, jnp.minimum(below + 2, last + 1))
  return low + fraction[..., None, None, None] * (high - low)
