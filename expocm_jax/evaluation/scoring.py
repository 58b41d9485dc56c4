"""Scores of predictions against a reference, under several protocols at once.

What is expensive is shared: the metrics are compiled once for all protocols, each network of LPIPS
once, and a reference's features are computed once for all methods and alignments.
"""

import functools
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from expocm_jax.errors import UserError
from expocm_jax.evaluation import protocols
from expocm_jax.ops import metrics, regions, tone_curves
from expocm_jax.ops.lpips import LEAST_SIDES, Lpips

REGION_METRICS = ("psnr_mu", "ssim_mu", "pu21_psnr", "pu21_ssim", "delta_e_2000")
LPIPS_METRICS = ("lpips_alex", "lpips_vgg")
METRICS = REGION_METRICS + LPIPS_METRICS

BRIDGED = {"hdrvdp3": "--hdrvdp=FOLDER", "cvvdp": "--cvvdp"}  # of `perceptual`
SSIM_METRICS = ("ssim_mu", "pu21_ssim")
_LEAST_SIDES = dict.fromkeys(SSIM_METRICS, metrics.SSIM_WINDOW)  # pixels
_LEAST_SIDES |= {f"lpips_{name}": side for name, side in LEAST_SIDES.items()}

Scores = dict[str, jax.Array]  # "psnr_mu/clipped" and so on to [B]


def least_side(metric_names: Sequence[str]) -> int:
  """Least height and width in pixels of an image that all these metrics can be taken of.

  Raises UserError for a metric that is not of METRICS.
  """
  _check_names(metric_names)
  return max(_LEAST_SIDES.get(name, 1) for name in metric_names)


def make_scorer(
  protocol_names: Sequence[str] = protocols.PROTOCOLS,
  *,
  headroom: float = 16.0,
  mu: float = 5000.0,
  peak_nits: float = 1000.0,
  metric_names: Sequence[str] = METRICS,
) -> Callable:
  """The scorer of these protocols and metrics.

  Args:
    protocol_names: of `protocols.PROTOCOLS`.
    headroom: the largest relative radiance of the network's domain.
    mu: constant of the mu-law.
    peak_nits: what 1.0 of a normalised image is shown at, in cd/m^2 (for PU21).
    metric_names: of METRICS. Those of LPIPS load their networks here.

  Returns:
    score(preds, ref_hdr, ldr, valid=None) -> {method: {protocol: {"metric/region": [B]}}}.
    `preds` is {method: [B, H, W, 3]}; radiance is relative; `valid`, [B, H, W, 1] of 0 and 1,
    marks the real pixels of padded images (not with LPIPS, which takes images whole). NaN where
    an image has no such region. It compiles its parts by itself, once for each shape: do not jit.

  Raises:
    UserError: unknown protocol or metric, or the package of LPIPS is missing. `score` raises it
      where the images are too small for a metric.
  """
  parsed = [protocols.parse(name) for name in protocol_names]
  _check_names(metric_names)
  networks = {n: Lpips.load(n.removeprefix("lpips_")) for n in LPIPS_METRICS if n in metric_names}
  measure = functools.partial(
    _measure,
    names=tuple(name for name in REGION_METRICS if name in metric_names),
    mu=mu,
    peak_nits=peak_nits,
  )

  def score(
    preds: Mapping[str, jax.Array],
    ref_hdr: jax.Array,
    ldr: jax.Array,
    valid: jax.Array | None = None,
  ) -> dict[str, dict[str, Scores]]:
    if valid is not None and networks:
      raise ValueError("LPIPS takes images whole: score padded ones without it")
    _check_size(ldr.shape[-3:-1], metric_names)
    aligned = functools.cache(
      lambda method, alignment: _align(preds[method], ref_hdr, ldr, valid, alignment=alignment)
    )
    results = {method: {} for method in preds}
    for base in dict.fromkeys(protocol.base for protocol in parsed):
      features = {}  # of the reference, which is the same for all of these
      for protocol in (p for p in parsed if p.base == base):
        for method in preds:
          pred_hdr = aligned(method, protocol.alignment)
          pair = _rescale(pred_hdr, ref_hdr, valid, base=base, headroom=headroom)
          scores = measure(*pair, ldr, valid)
          for name, network in networks.items():
            pred, ref = pair
            if name not in features:
              features[name] = _features(network, _display(ref, mu=mu))
            seen = _features(network, _display(pred, mu=mu))
            scores[f"{name}/all"] = _distance(network, seen, features[name])
          results[method][protocol.name] = scores
    return results

  return score


def _check_names(metric_names: Sequence[str]) -> None:
  for name in metric_names:
    if name in BRIDGED:
      raise UserError(f"metric {name!r}: of another program; add it with {BRIDGED[name]}")
    if name not in METRICS:
      raise UserError(f"metric {name!r}: unknown; choose from {', '.join(METRICS)}")


def _check_size(size: tuple[int, int], metric_names: Sequence[str]) -> None:
  least = metrics.SSIM_WINDOW
  if min(size) < least and set(SSIM_METRICS) & set(metric_names):
    raise UserError(
      f"ssim: an image of {size[0]} x {size[1]} pixels is too small; "
      f"leave this metric out or use at least {least} x {least}"
    )


@functools.partial(jax.jit, static_argnames="alignment")
def _align(pred_hdr, ref_hdr, ldr, valid, *, alignment):
  return protocols.align(pred_hdr, ref_hdr, ldr, alignment=alignment, valid=valid)


@functools.partial(jax.jit, static_argnames=("base", "headroom"))
def _rescale(pred_hdr, ref_hdr, valid, *, base, headroom):
  return protocols.rescale(pred_hdr, ref_hdr, base=base, headroom=headroom, valid=valid)


@functools.partial(jax.jit, static_argnames=("names", "mu", "peak_nits"))
def _measure(pred, ref, ldr, valid, *, names, mu, peak_nits) -> Scores:
  """The metrics `names` of normalised images over every region."""
  masks = regions.exposure_regions(ldr)
  weights = jnp.stack(list(masks.values()))
  if valid is not None:
    weights = weights * valid[None]
  encoded = [tone_curves.mu_law(image, mu=mu) for image in (pred, ref)]
  shown = [jnp.clip(image, 0.0, 1.0) for image in encoded]
  nits = [peak_nits * image for image in (pred, ref)]
  functions = {
    "psnr_mu": lambda w: metrics.psnr(*encoded, peak=1.0, weights=w),
    "ssim_mu": lambda w: metrics.ssim(*encoded, peak=1.0, weights=w, valid=valid),
    "pu21_psnr": lambda w: metrics.pu21_psnr(*nits, weights=w),
    "pu21_ssim": lambda w: metrics.pu21_ssim(*nits, weights=w, valid=valid),
    "delta_e_2000": lambda w: metrics.delta_e_2000_mean(*shown, weights=w),
  }
  # Mapped over the regions, the error maps, which know nothing of them, are computed once.
  values = {name: jax.vmap(functions[name])(weights) for name in names}
  return {
    f"{name}/{region}": values[name][index] for name in names for index, region in enumerate(masks)
  }


@functools.partial(jax.jit, static_argnames="mu")
def _display(image: jax.Array, *, mu: float) -> jax.Array:
  return jnp.clip(tone_curves.mu_law(image, mu=mu), 0.0, 1.0)


_features = jax.jit(Lpips.features)
_distance = jax.jit(Lpips.distance)
