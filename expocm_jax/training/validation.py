"""Validation: the output on held-out records beside the linearised input.

PSNR-mu of the `headroom` protocol over each of `regions.REGIONS`; and a sheet of pictures.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from expocm_jax.method.expocm import Method
from expocm_jax.ops import color, metrics
from expocm_jax.ops.regions import exposure_regions
from expocm_jax.training.processes import batch_sharding, global_batch, replicated

NOISE_STREAM = 2  # of fold_in(seed, stream); training uses 0 and 1
DIFFUSION = dict(steps=20, eta=0.0)  # the sampler of the diffusion baseline
EXPOSURES = (0, -2, -4)  # EV of the sheet's panels; at -4 all of a headroom of 16 is in range
GAP = 2  # pixels between the sheet's panels


class Result(NamedTuple):
  """What a validation tells."""

  scores: dict[str, float]  # mean PSNR-mu in dB, "output/all" ... "input/dark"; NaN: no pixel
  sheet: np.ndarray  # [rows, columns, 3] in [0, 1]


class Validator:
  """Validates parameters on fixed records with fixed noise; compiled once.

  Every process makes the same calls and gets the same result.
  """

  def __init__(
    self,
    config: ConfigDict,
    method: Method,
    mesh: Mesh,
    records: Sequence[dict],
    *,
    sheet_records: int = 4,
  ):
    """`records` are dict(ldr, hdr, ...), each [H, W, 3], of one size and the same everywhere.

    They are computed in batches of `config.train.batch_size`; the sheet shows the first few.
    """
    self._mesh, self._size, self._records = mesh, config.train.batch_size, records
    self._shown = min(sheet_records, len(records))
    self._key = jax.random.fold_in(jax.random.key(config.seed), NOISE_STREAM)
    self._compare = jax.jit(
      make_compare(method),
      in_shardings=(replicated(mesh), batch_sharding(mesh), None),
      out_shardings=replicated(mesh),
    )

  def __call__(self, ema_params: dict) -> Result:
    """Scores and sheet of the averaged parameters, which are replicated over the mesh."""
    scores, rows = [], []
    for start in range(0, len(self._records), self._size):
      records = self._records[start : start + self._size]
      key = jax.random.fold_in(self._key, start)
      part, output, masks = self._compare(ema_params, self._batch(records), key)
      scores.append({name: np.asarray(value)[: len(records)] for name, value in part.items()})
      if start < self._shown:
        shown = records[: self._shown - start]
        images = zip(shown, np.asarray(output), np.asarray(masks), strict=False)
        rows += [panels(r["ldr"], mask, out, r["hdr"]) for r, out, mask in images]
    means = {
      name: mean_score(np.concatenate([part[name] for part in scores])) for name in scores[0]
    }
    return Result(means, np.concatenate(rows))

  def _batch(self, records: Sequence[dict]) -> dict[str, jax.Array]:
    """A global batch, filled up with the first record where too few are left."""
    filled = list(records) + [records[0]] * (self._size - len(records))
    share = self._size // jax.process_count()
    local = filled[share * jax.process_index() :][:share]
    names = ("ldr", "hdr")
    return global_batch({n: np.stack([r[n] for r in local]) for n in names}, self._mesh)


def make_compare(method: Method) -> Callable:
  """The comparison of a batch, to be compiled.

  Returns:
    (params, batch, key) -> (scores by name, [B] each; output [B, H, W, 3] relative radiance;
    masks [B, H, W, 3]: over-exposed red, well exposed green, under-exposed blue).
  """

  def compare(params: dict, batch: dict[str, jax.Array], key: jax.Array):
    ldr, hdr = batch["ldr"], batch["hdr"]
    masks = method.masks(ldr)
    if method.objective == "diffusion":
      estimate = method.sample(params, ldr, key, **DIFFUSION)
    else:
      noise = jax.random.normal(key, ldr.shape)
      estimate = method.one_step(params, method.condition(ldr), noise, masks)
    output = method.decode(estimate)
    images = {"output": output, "input": color.srgb_to_linear(ldr)}
    scores = {
      f"{which}/{region}": metrics.psnr_mu_headroom(
        image, hdr, headroom=method.headroom, mu=method.mu, weights=weights
      )
      for which, image in images.items()
      for region, weights in exposure_regions(ldr).items()
    }
    return scores, output, jnp.concatenate([masks.over, masks.good, masks.under], axis=-1)

  return compare


def panels(ldr: np.ndarray, masks: np.ndarray, output: np.ndarray, hdr: np.ndarray) -> np.ndarray:
  """One row of the sheet: input, masks, output and ground truth at the `EXPOSURES`.

  All are [H, W, 3]; `output` and `hdr` in relative radiance, the others in [0, 1].
  """
  exposed = [
    np.asarray(color.linear_to_srgb(jnp.clip(image * 2.0**ev, 0.0, 1.0)))
    for image in (output, hdr)
    for ev in EXPOSURES
  ]
  row = [np.pad(p, ((0, GAP), (0, GAP), (0, 0))) for p in (ldr, masks, *exposed)]
  return np.concatenate(row, axis=1)


def mean_score(values: np.ndarray) -> float:
  """Mean over the records that have pixels of the region."""
  present = values[~np.isnan(values)]
  return float(np.mean(present)) if present.size else float("nan")
