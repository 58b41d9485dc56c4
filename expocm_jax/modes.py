"""The programs behind `main.py --mode=...`: which flags each needs, and how it is called.

Programs are imported when they are called, so that `--help` and mistakes answer at once.
"""

from typing import Any

from expocm_jax.config_check import check_numbers
from expocm_jax.errors import UserError


def _require(flags: Any, *names: str):
  for name in names:
    if not getattr(flags, name):
      raise UserError(f"--{name}: missing; --mode={flags.mode} needs it, see --help")


def _train(flags: Any):
  from expocm_jax import train

  _require(flags, "workdir")
  if flags.distributed:
    import jax

    jax.distributed.initialize()
  train.main(flags.config, flags.workdir)


def _evaluate(flags: Any):
  from expocm_jax import evaluate

  _require(flags, "output", "weights")
  check_numbers(flags.config)
  evaluate.main(
    flags.config, weights=flags.weights, output=flags.output, views=flags.views, size=flags.size
  )


def _reconstruct(flags: Any):
  from expocm_jax import reconstruct

  _require(flags, "input", "output", "weights")
  reconstruct.main(
    input=flags.input,
    output=flags.output,
    weights=flags.weights,
    seed=flags.seed,
    steps=flags.steps,
    samples=flags.samples,
    formats=flags.formats,
    exr_dtype=flags.exr_dtype,
  )


def _export(flags: Any):
  from expocm_jax import export

  _require(flags, "workdir", "output")
  export.main(checkpoint=flags.workdir, output=flags.output)


def _prepare(flags: Any):
  from input_pipeline import prepare

  _require(flags, "output")
  check_numbers(flags.config)
  prepare.prepare(flags.config, flags.output, views=flags.views, size=flags.size)


def _demo(flags: Any):
  from expocm_jax import demo

  demo.main(output=flags.output or "demo_output", weights=flags.weights)


MODES = {
  "train": _train,
  "evaluate": _evaluate,
  "reconstruct": _reconstruct,
  "export": _export,
  "prepare": _prepare,
  "demo": _demo,
}
