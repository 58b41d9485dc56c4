"""Trains baselines and ablations at one budget and compares them: `--mode=study`.

Each variant of `ablation.VARIANTS` is trained from the given config, in a folder of its own, and
all are evaluated beside the untrained methods. Stopped at any moment, the same command goes on:
finished runs are left as they are, the unfinished one resumes, and so does the evaluation.
"""

import json
import os
import sys
from collections.abc import Sequence

from ml_collections import ConfigDict

from configs import ablation
from expocm_jax import image_io
from expocm_jax.checkpoints import runs
from expocm_jax.errors import UserError
from expocm_jax.evaluation.methods import WeightsSource
from expocm_jax.method.expocm import Method
from expocm_jax.programs import evaluate
from expocm_jax.training import loop
from expocm_jax.training.processes import make_mesh

# Each sampler of the diffusion baseline is a method of its own.
SAMPLERS = {"diffusion": ("ddim-50", "ddpm-1000")}


def main(
  config: ConfigDict,
  workdir: str | os.PathLike,
  *,
  variants: Sequence[str] | None = None,
  views: int = 1,
  size: int | None = None,
  split: str = "test",
  cameras: Sequence[str] | None = None,
  reading: str | None = None,
  protocols: Sequence[str] | None = None,
  metrics: Sequence[str] | None = None,
) -> None:
  """Trains into `workdir/VARIANT/`, and writes tables and page to `workdir/evaluation/`.

  Args:
    config: what all variants start from; `train.phase1_steps` and `phase2_steps` are the budget.
    workdir: folder of the study.
    variants: of `ablation.VARIANTS` or `ablation.RECIPE`; None takes all of the first.
    views, size, split, cameras, reading, protocols, metrics: as for `evaluate.main`.

  Raises:
    UserError: as `loop.main` and `evaluate.main`, or an unknown variant.
    SystemExit: stopped by a signal; what was done is kept.
  """
  measured = dict(
    size=size,
    split=split,
    cameras=cameras,
    reading=reading,
    protocols=protocols,
    metrics=metrics,
  )
  # What can be wrong is told before hours of training.
  configs = {name: ablation.apply(config, name) for name in variants or ablation.VARIANTS}
  check_distinct(config, configs)
  for changed in configs.values():
    loop.check_config(changed, Method.from_config(changed), make_mesh())
  evaluate.open_split(config, **measured)
  folder = image_io.output_folder(workdir)
  for number, (name, changed) in enumerate(configs.items(), 1):
    print(f"[{number}/{len(configs)}] {ablation.LABELS[name]}", file=sys.stderr, flush=True)
    if not runs.is_complete(folder / name, changed):
      loop.main(changed, folder / name)
  sources = [
    WeightsSource(str(folder / name), sampler, name, ablation.LABELS[name])
    for name in configs
    for sampler in SAMPLERS.get(name, ("",))
  ]
  evaluate.main(config, output=folder / "evaluation", weights=sources, views=views, **measured)


def check_distinct(config: ConfigDict, configs: dict[str, ConfigDict]) -> None:
  """Raises UserError for two variants that only ELC tells apart where there is no phase II."""
  if config.train.phase2_steps:
    return
  seen: dict[str, str] = {}
  for name, changed in configs.items():
    rest = json.dumps({k: v for k, v in changed.to_dict().items() if k != "elc"}, sort_keys=True)
    if rest in seen:
      raise UserError(
        f"--variants: {seen[rest]} and {name} differ in phase II alone, and "
        "config.train.phase2_steps=0; give it steps, or leave one of them out"
      )
    seen[rest] = name
