"""Several methods on one image, scored against its reference under several protocols."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np
from ml_collections import ConfigDict

from expocm_jax.errors import UserError
from expocm_jax.evaluation import methods as predictors
from expocm_jax.evaluation import protocols, scoring
from expocm_jax.evaluation.external_metrics import ColorVideoVdp, HdrVdp3
from expocm_jax.evaluation.methods import Predictor, Source

PEAK_NITS = 1000.0  # what a display shows at 1.0 of a protocol's scale, cd/m^2

Scores = dict[str, dict[str, dict[str, float]]]  # method, protocol, "metric/region"


class Comparison:
  """Predicts and scores image by image.

  Attributes:
    methods: predictors by name, the untrained ones first.
    protocols: names.
    metrics: names.
    bridges: metrics that other programs compute, by name.
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
    self.methods = dict(methods)
    self.protocols = list(protocol_names or protocols.PROTOCOLS)
    own = list(metric_names or scoring.METRICS)
    angle = {"pixels_per_degree": pixels_per_degree} if pixels_per_degree else {}
    self._score = scoring.make_scorer(
      self.protocols,
      headroom=domain.headroom,
      mu=domain.mu,
      peak_nits=PEAK_NITS,
      metric_names=own,
    )
    self.bridges = {"hdrvdp3": HdrVdp3(hdrvdp, **angle)} if hdrvdp else {}
    self.bridges |= {"cvvdp": ColorVideoVdp(**angle)} if cvvdp else {}
    self.metrics = [*own, *self.bridges]
    self._headroom = domain.headroom
    self._normalise = jax.jit(protocols.normalise, static_argnums=0, static_argnames="headroom")

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
    batch = {name: result[None] for name, result in results.items()}
    arrays = jax.device_get(self._score(batch, hdr[None], ldr[None]))
    scores = {
      name: {
        protocol: {key: float(values[0]) for key, values in arrays[name][protocol].items()}
        for protocol in self.protocols
      }
      for name in self.methods
    }
    for name, result in results.items() if self.bridges else ():
      for protocol in self.protocols:
        parsed = protocols.parse(protocol)
        pair = self._normalise(parsed, result, hdr, ldr, headroom=self._headroom)
        nits = [PEAK_NITS * np.asarray(image) for image in pair]
        for metric, bridge in self.bridges.items():
          scores[name][protocol][f"{metric}/all"] = bridge.score(*nits)
    return results, scores


def compared_methods(
  untrained: Sequence[str], sources: Sequence[Source], *, headroom: float, samples: int = 1
) -> dict[str, Predictor]:
  """The predictors of a comparison by name: `linear`, which is always there, then the others.

  Args:
    untrained: of `expansion.OPERATORS`.
    sources: of trained parameters.
    headroom: of the domain.
    samples: draws of the noise to average.

  Raises:
    UserError: one cannot be used, or two have one name.
  """
  names = ["linear", *(name for name in untrained if name != "linear")]
  found = [predictors.untrained(name, headroom=headroom) for name in names]
  found += [predictors.trained(source, samples=samples) for source in sources]
  names = [method.name for method in found]
  for name in names:
    if names.count(name) > 1:
      raise UserError(f"{name}: two methods of that name; give one of them another, as in "
                      "--weights=NAME=PATH")  # fmt: skip
  return dict(zip(names, found, strict=True))


def _finite(method: Predictor, result: np.ndarray) -> np.ndarray:
  """The result; a NaN would otherwise look like a region without pixels."""
  if wrong := int(np.sum(~np.isfinite(result))):
    raise UserError(
      f"{method.name}: {wrong} of {result.size} values of its result are not finite; use other "
      "weights, or float32 as their config.model.dtype"
    )
  return result
