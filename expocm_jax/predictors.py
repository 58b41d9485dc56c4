"""Everything that turns a photo into an HDR image under one call, for comparisons."""

import os
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from expocm_jax import diffusion, expansion, pretrained, weights
from expocm_jax.errors import UserError
from expocm_jax.method import Method
from expocm_jax.reconstructor import Reconstructor

DEFAULT_SAMPLER = "ddim-50"
_ETAS = {"ddim": 0.0, "ddpm": 1.0}  # deterministic, ancestral


class Predictor(NamedTuple):
  """A method of a comparison."""

  name: str  # short, unique in a table
  label: str  # for people
  # (ldr [H, W, 3] float32 in [0, 1], seed of the noise) -> relative radiance, the same shape
  predict: Callable[[np.ndarray, int], np.ndarray]
  trained: bool = False
  sha256: str | None = None  # of the parameters
  parameters: int | None = None


def untrained(name: str) -> Predictor:
  """One of `expansion.OPERATORS`; UserError when there is none of that name."""
  if name not in expansion.OPERATORS:
    known = ", ".join(expansion.OPERATORS)
    raise UserError(f"--methods: unknown method {name!r}; use some of {known}")
  operator = jax.jit(expansion.OPERATORS[name])

  def predict(ldr: np.ndarray, seed: int) -> np.ndarray:
    del seed  # nothing is random
    return np.asarray(operator(ldr))

  return Predictor(name, expansion.LABELS[name], predict)


def trained(
  source: str | os.PathLike, *, name: str = "", label: str = "", samples: int = 1
) -> Predictor:
  """Trained parameters, consistency or diffusion.

  Args:
    source: a shipped name, a weights file, a run's or a checkpoint's folder; those of a diffusion
      model may end in a sampler, ":ddim-STEPS" or ":ddpm-STEPS".
    name: of the method; none takes the file's or folder's name, with the sampler.
    label: for people; none takes the name.
    samples: draws of the noise whose estimates are averaged.

  Raises:
    UserError: the parameters cannot be used, or the sampler does not fit them.
  """
  place, sampler = source, ""
  if _has_sampler(source):
    place, _, sampler = str(source).rpartition(":")
  config, params = pretrained.load(place)
  method = Method.from_config(config)
  name = name or pathlib.Path(place).stem
  if method.objective == "diffusion":
    sampler = sampler or DEFAULT_SAMPLER
    name, predict = f"{name}:{sampler}", _diffusion(method, params, sampler)
    if samples != 1:
      raise UserError(f"--samples={samples}: {place} is a diffusion model, of which one sample is "
                      "drawn; use --samples=1")  # fmt: skip
  elif sampler:
    raise UserError(f"{source}: a sampler for parameters that take one step; leave it out")
  else:
    reconstruct = Reconstructor(config, params)

    def predict(ldr: np.ndarray, seed: int) -> np.ndarray:
      return reconstruct(ldr, seed=seed, samples=samples)

    name += f" x{samples}" if samples > 1 else ""
  count = sum(leaf.size for leaf in jax.tree.leaves(params))
  return Predictor(name, label or name, predict, True, weights.digest(params), count)


def parse_sampler(sampler: str) -> tuple[int, float]:
  """(steps, eta) of "ddim-STEPS" or "ddpm-STEPS"; UserError for anything else."""
  kind, _, steps = sampler.partition("-")
  if kind not in _ETAS or not steps.isdigit() or not 1 <= int(steps) <= diffusion.STEPS:
    raise UserError(
      f"sampler {sampler!r}: unknown; use ddim-STEPS or ddpm-STEPS, STEPS from 1 to "
      f"{diffusion.STEPS}"
    )
  return int(steps), _ETAS[kind]


def _has_sampler(source: str | os.PathLike) -> bool:
  return not pathlib.Path(source).exists() and str(source).rpartition(":")[2][:4] in _ETAS


def _diffusion(method: Method, params: dict, sampler: str) -> Callable:
  """Draws one sample of whole images, padded to the network's stride."""
  steps, eta = parse_sampler(sampler)
  params = jax.device_put(params)

  @jax.jit
  def sample(ldr: jax.Array, key: jax.Array) -> jax.Array:
    return method.decode(method.sample(params, ldr[None], key, steps=steps, eta=eta)[0])

  def predict(ldr: np.ndarray, seed: int) -> np.ndarray:
    height, width = ldr.shape[:2]
    padding = [(0, -side % method.stride) for side in (height, width)]
    padded = np.pad(ldr, [*padding, (0, 0)], mode="edge")
    return np.asarray(sample(padded, jax.random.key(seed)))[:height, :width]

  return predict
