"""Scores of several methods on one image, under several protocols at once.

What is expensive is shared: the metrics are compiled once for all protocols, each network of LPIPS
once, and a reference's features are computed once for all methods and alignments.
"""

import functools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from expocm_jax.errors import UserError
from expocm_jax.evaluation import protocols
from expocm_jax.evaluation.external_metrics import ColorVideoVdp, HdrVdp3
from expocm_jax.evaluation.methods import Predictor
from expocm_jax.evaluation.protocols import PEAK_NITS
from expocm_jax.ops import metrics, regions, tone_curves
from expocm_jax.ops.lpips import LEAST_SIDES, Lpips

REGION_METRICS = ("psnr_mu", "ssim_mu", "pu21_psnr", "pu21_ssim", "delta_e_2000")
# Of relative radiance, each over the region that it is defined for.
RADIANCE_METRICS = ("light", "peak", "texture", "fidelity", "fidelity_p99")
LPIPS_METRICS = ("lpips_alex", "lpips_vgg")
METRICS = REGION_METRICS + RADIANCE_METRICS + LPIPS_METRICS
EXTERNAL = {"hdrvdp3": "--hdrvdp=FOLDER", "cvvdp": "--cvvdp"}  # of `external_metrics`

_LEAST_SIDES = dict.fromkeys(("ssim_mu", "pu21_ssim"), metrics.SSIM_WINDOW)  # pixels
_LEAST_SIDES |= {f"lpips_{name}": side for name, side in LEAST_SIDES.items()}

Scores = dict[str, dict[str, dict[str, float]]]  # method, protocol, "metric/region"


class Comparison:
  """Predicts and scores image by image.

  Attributes:
    methods: predictors by name, the untrained ones first.
    protocols: names.
    metrics: names.
    external: metrics that other programs compute, by name.
  """

  def __init__(
    self,
    methods: Mapping[str, Predictor],
    domain: ConfigDict,
    *,
    protocol_names: Sequence[str] | None = None,
    metric_names: Sequence[str] | None = None,
    hdrvdp: str | None = None,
    cvvdp: bool = False,
    pixels_per_degree: float | None = None,
  ):
    """`domain` is `config.domain`; the other arguments and errors are those of `evaluate.main`."""
    own = list(metric_names or METRICS)
    _check_names(own)
    self.methods, self._domain = dict(methods), domain
    self.protocols = list(protocol_names or protocols.PROTOCOLS)
    self._parsed = {name: protocols.parse(name) for name in self.protocols}
    self._networks = {n: Lpips.load(n.removeprefix("lpips_")) for n in LPIPS_METRICS if n in own}
    angle = {"pixels_per_degree": pixels_per_degree} if pixels_per_degree else {}
    self.external = {"hdrvdp3": HdrVdp3(hdrvdp, **angle)} if hdrvdp else {}
    self.external |= {"cvvdp": ColorVideoVdp(**angle)} if cvvdp else {}
    self.metrics = [*own, *self.external]

  def __call__(
    self, ldr: np.ndarray, hdr: np.ndarray, *, seed: int
  ) -> tuple[dict[str, np.ndarray], Scores]:
    """The results of all methods, and their scores.

    Args:
      ldr: [H, W, 3] float32 in [0, 1].
      hdr: [H, W, 3] float32 relative radiance, the reference.
      seed: of the noise.

    Raises:
      UserError: a result is not finite, or the image is too small for a metric.
    """
    results = {
      name: _finite(method, method.predict(ldr, seed)) for name, method in self.methods.items()
    }
    return results, self.score(results, hdr, ldr)

  def score(self, results: Mapping[str, np.ndarray], hdr: np.ndarray, ldr: np.ndarray) -> Scores:
    """Scores of results by method, relative radiance [H, W, 3]; NaN where a region has no pixels.

    Raises UserError where the image is too small for a metric.
    """
    _check_size(ldr.shape[:2], self.metrics)
    headroom, mu = self._domain.headroom, self._domain.mu
    names, radiance_names = (
      tuple(name for name in some if name in self.metrics)
      for some in (REGION_METRICS, RADIANCE_METRICS)
    )
    aligned = functools.cache(
      lambda method, alignment: _align(results[method], hdr, ldr, alignment=alignment)
    )
    of_radiance = functools.cache(
      lambda method, alignment: _measure_radiance(
        results[method], aligned(method, alignment), hdr, ldr, names=radiance_names, top=headroom
      )
    )
    scores = {method: dict.fromkeys(self.protocols) for method in results}
    for base in dict.fromkeys(base for base, _ in self._parsed.values()):
      features = {}  # of the reference, which is the same for all of these
      for protocol in (name for name in self.protocols if self._parsed[name][0] == base):
        for method in results:
          alignment = self._parsed[protocol][1]
          pred = aligned(method, alignment)
          pred, ref = _rescale(pred, hdr, base=base, headroom=headroom)
          values = _measure(pred, ref, ldr, names=names, mu=mu) | of_radiance(method, alignment)
          for name, network in self._networks.items():
            if name not in features:
              features[name] = _features(network, ref, mu=mu)
            seen = _features(network, pred, mu=mu)
            values[f"{name}/all"] = _distance(network, seen, features[name])[0]
          for name, metric in self.external.items():
            nits = (PEAK_NITS * np.asarray(image) for image in (pred, ref))
            values[f"{name}/all"] = metric.score(*nits)
          values = jax.device_get(values)
          scores[method][protocol] = {key: float(value) for key, value in values.items()}
    return scores


def least_side(metric_names: Sequence[str]) -> int:
  """Least height and width in pixels of an image that all these metrics can be taken of.

  Raises UserError for a metric that is not of METRICS.
  """
  _check_names(metric_names)
  return max(_LEAST_SIDES.get(name, 1) for name in metric_names)


def _check_names(metric_names: Sequence[str]) -> None:
  for name in metric_names:
    if name in EXTERNAL:
      raise UserError(f"metric {name!r}: of another program; add it with {EXTERNAL[name]}")
    if name not in METRICS:
      raise UserError(f"metric {name!r}: unknown; choose from {', '.join(METRICS)}")


def _check_size(size: tuple[int, int], metric_names: Sequence[str]) -> None:
  for name in metric_names:
    if min(size) < (least := _LEAST_SIDES.get(name, 1)):
      raise UserError(
        f"{name}: an image of {size[0]} x {size[1]} pixels is too small; "
        f"leave this metric out or use at least {least} x {least}"
      )


def _finite(method: Predictor, result: np.ndarray) -> np.ndarray:
  """The result; a NaN would otherwise look like a region without pixels."""
  if wrong := int(np.sum(~np.isfinite(result))):
    raise UserError(
      f"{method.name}: {wrong} of {result.size} values of its result are not finite; use other "
      "weights, or float32 as their config.model.dtype"
    )
  return result


_align = jax.jit(protocols.align, static_argnames="alignment")
_rescale = jax.jit(protocols.rescale, static_argnames=("base", "headroom"))
_distance = jax.jit(Lpips.distance)


@functools.partial(jax.jit, static_argnames="mu")
def _features(network: Lpips, image: jax.Array, *, mu: float) -> list[jax.Array]:
  return network.features(jnp.clip(tone_curves.mu_law(image, mu=mu), 0.0, 1.0)[None])


@functools.partial(jax.jit, static_argnames=("names", "mu"))
def _measure(
  pred: jax.Array, ref: jax.Array, ldr: jax.Array, *, names: tuple[str, ...], mu: float
) -> dict[str, jax.Array]:
  """The metrics `names` of images on a protocol's scale, over every region."""
  masks = regions.exposure_regions(ldr)
  encoded = [tone_curves.mu_law(image, mu=mu) for image in (pred, ref)]
  shown = [jnp.clip(image, 0.0, 1.0) for image in encoded]
  nits = [PEAK_NITS * image for image in (pred, ref)]
  functions = {
    "psnr_mu": lambda w: metrics.psnr(*encoded, peak=1.0, weights=w),
    "ssim_mu": lambda w: metrics.ssim(*encoded, peak=1.0, weights=w),
    "pu21_psnr": lambda w: metrics.pu21_psnr(*nits, weights=w),
    "pu21_ssim": lambda w: metrics.pu21_ssim(*nits, weights=w),
    "delta_e_2000": lambda w: metrics.delta_e_2000_mean(*shown, weights=w),
  }
  # Mapped over the regions, the error maps, which know nothing of them, are computed once.
  weights = jnp.stack(list(masks.values()))
  values = {name: jax.vmap(functions[name])(weights) for name in names}
  return {
    f"{name}/{region}": values[name][index] for name in names for index, region in enumerate(masks)
  }


@functools.partial(jax.jit, static_argnames=("names", "top"))
def _measure_radiance(
  result: jax.Array,
  aligned: jax.Array,
  ref: jax.Array,
  ldr: jax.Array,
  *,
  names: tuple[str, ...],
  top: float,
) -> dict[str, jax.Array]:
  """The metrics `names` of relative radiance [H, W, 3], whatever a protocol divides it by.

  Light, peak and texture are of the aligned result and the reference up to the radiance `top`: a
  sun beyond the domain would decide alone. Fidelity is of the result as it is.
  """
  pair = [jnp.minimum(image, top) for image in (aligned, ref)]
  clipped = regions.exposure_regions(ldr)["clipped"]
  fidelity = metrics.fidelity(result, ldr)
  values = {
    "light/clipped": metrics.light_bias(*pair, weights=clipped),
    "peak/all": metrics.peak_bias(*pair),
    "texture/clipped": metrics.texture(*pair, weights=clipped),
    "fidelity/well_exposed": fidelity.mean,
    "fidelity_p99/well_exposed": fidelity.p99,
  }
  return {key: value for key, value in values.items() if key.partition("/")[0] in names}
