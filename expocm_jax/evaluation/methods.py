"""The methods of a comparison: whatever turns a photo into an HDR image, under one call."""

import functools
import hashlib
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from expocm_jax.checkpoints import pretrained, weights
from expocm_jax.errors import UserError
from expocm_jax.evaluation.baselines import expansion
from expocm_jax.inference.reconstructor import Reconstructor
from expocm_jax.method import diffusion
from expocm_jax.method.expocm import Method

DEFAULT_SAMPLER = "ddim-50"
_ETAS = {"ddim": 0.0, "ddpm": 1.0}  # deterministic, ancestral


class WeightsSource(NamedTuple):
  """Where trained parameters lie, and what their method is called."""

  weights: str  # shipped name, weights file, folder of a run or of a checkpoint
  sampler: str = ""  # of a diffusion model: "ddim-STEPS" or "ddpm-STEPS"
  name: str = ""  # none: that of the file or folder, with the sampler
  label: str = ""  # for people; none: the name


class Predictor(NamedTuple):
  """A method of a comparison."""

  name: str  # short, unique in a table
  label: str  # for people
  # (ldr [H, W, 3] float32 in [0, 1], seed of the noise) -> relative radiance, the same shape
  predict: Callable[[np.ndarray, int], np.ndarray]
  identity: str  # changes with whatever changes the predictions
  trained: bool = False
  sha256: str | None = None  # of the parameters
  parameters: int | None = None


def compared_methods(
  operators: Sequence[str], sources: Sequence[WeightsSource], *, headroom: float, samples: int
) -> dict[str, Predictor]:
  """The predictors of a comparison by name: `linear`, which is always in it, then the others.

  Args:
    operators: of `expansion.OPERATORS`.
    sources: of trained parameters.
    headroom: of the domain.
    samples: draws of the noise to average.

  Raises:
    UserError: one cannot be used, or two have one name.
  """
  names = ["linear", *(name for name in operators if name != "linear")]
  found = [untrained(name, headroom=headroom) for name in names]
  found += [trained(source, samples=samples) for source in sources]
  by_name = {}
  for method in found:
    if method.name in by_name:
      raise UserError(f"{method.name}: two methods of that name; give one of them another, as in "
                      "--weights=NAME=PATH")  # fmt: skip
    by_name[method.name] = method
  return by_name


def untrained(name: str, *, headroom: float) -> Predictor:
  """One of `expansion.OPERATORS`; UserError when there is none of that name.

  `headroom` is the peak of the operators that need one, in relative radiance.
  """
  if name not in expansion.OPERATORS:
    known = ", ".join(expansion.OPERATORS)
    raise UserError(f"--methods: unknown method {name!r}; use some of {known}")
  options = {"peak": headroom} if name == "akyuz" else {}
  operator = jax.jit(functools.partial(expansion.OPERATORS[name], **options))

  def predict(ldr: np.ndarray, _: int) -> np.ndarray:
    return np.asarray(operator(ldr))

  return Predictor(name, expansion.LABELS[name], predict, f"{name} {headroom}")


def parse_source(text: str) -> WeightsSource:
  """The source that WEIGHTS, NAME=WEIGHTS, WEIGHTS:SAMPLER or NAME=WEIGHTS:SAMPLER names.

  The reading whose weights exist counts, so that paths may hold any character.
  """
  readings = []
  first, _, rest = text.partition("=")
  named = [(first, rest)] if rest and "/" not in first else []
  for name, path in [("", text), *named]:
    readings.append(WeightsSource(path, "", name))
    before, _, sampler = path.rpartition(":")
    if before and sampler.partition("-")[0] in _ETAS:
      readings.append(WeightsSource(before, sampler, name))
  return next((r for r in readings if pathlib.Path(r.weights).exists()), readings[-1])


def trained(source: WeightsSource, *, samples: int) -> Predictor:
  """Trained parameters, consistency or diffusion; `samples` draws of the noise are averaged.

  Raises:
    UserError: the parameters cannot be used, or sampler or samples do not fit them.
  """
  config, params = pretrained.load(source.weights)
  method = Method.from_config(config)
  name, label = source.name or pathlib.Path(source.weights).stem, source.label
  if method.objective == "diffusion":
    sampler = source.sampler or DEFAULT_SAMPLER
    predict = _sampled(method, params, sampler)
    name, label = f"{name}:{sampler}", f"{label}, {sampler.upper()}" if label else ""
    if samples != 1:
      raise UserError(f"--samples={samples}: {source.weights} is a diffusion model, of which one "
                      "sample is drawn; use --samples=1")  # fmt: skip
  elif source.sampler:
    raise UserError(f"{source.weights}:{source.sampler}: a sampler for parameters that take one "
                    "step; leave it out")  # fmt: skip
  else:
    reconstruct = Reconstructor(config, params)

    def predict(ldr: np.ndarray, seed: int) -> np.ndarray:
      return reconstruct(ldr, seed=seed, samples=samples)

    name += f" x{samples}" if samples > 1 else ""
  sha256 = weights.digest(params)
  count = sum(leaf.size for leaf in jax.tree.leaves(params))
  config_digest = hashlib.sha256(config.to_json().encode()).hexdigest()
  identity = f"{sha256} {config_digest} {source.sampler} {samples}"
  return Predictor(name, label or name, predict, identity, True, sha256, count)


def parse_sampler(sampler: str) -> tuple[int, float]:
  """(steps, eta) of "ddim-STEPS" or "ddpm-STEPS"; UserError for anything else."""
  kind, _, steps = sampler.partition("-")
  if kind not in _ETAS or not steps.isdigit() or not 1 <= int(steps) <= diffusion.STEPS:
    raise UserError(
      f"sampler {sampler!r}: unknown; use ddim-STEPS or ddpm-STEPS, STEPS from 1 to "
      f"{diffusion.STEPS}"
    )
  return int(steps), _ETAS[kind]


def _sampled(method: Method, params: dict, sampler: str) -> Callable:
  """Draws one sample of an image at once, padded to the network's stride."""
  steps, eta = parse_sampler(sampler)
  params = jax.device_put(params)

  @jax.jit
  def sample(params: dict, ldr: jax.Array, key: jax.Array) -> jax.Array:
    return method.decode(method.sample(params, ldr[None], key, steps=steps, eta=eta)[0])

  def predict(ldr: np.ndarray, seed: int) -> np.ndarray:
    height, width = ldr.shape[:2]
    padding = [(0, -side % method.stride) for side in (height, width)]
    padded = np.pad(ldr, [*padding, (0, 0)], mode="edge")
    return np.asarray(sample(params, padded, jax.random.key(seed)))[:height, :width]

  return predict
