"""The programs behind `main.py --mode=...`: which flags each needs, and how it is called.

Programs are imported when they are called, so that `--help` and mistakes answer at once.
"""

from typing import Any

from expocm_jax.errors import UserError, first_line
from expocm_jax.training.config_check import check_numbers


def _require(flags: Any, *names: str):
  for name in names:
    if not getattr(flags, name):
      raise UserError(f"--{name}: missing; --mode={flags.mode} needs it, see --help")


def _one_source(flags: Any) -> str:
  """The weights of the modes that use one set of them."""
  sources = [source for source in flags.weights if source]
  if len(sources) != 1:
    raise UserError(f"--weights: {len(sources)} given; --mode={flags.mode} takes one")
  return sources[0]


def _train(flags: Any):
  from expocm_jax.training import loop

  _require(flags, "workdir")
  if flags.distributed:
    import jax

    try:
      jax.distributed.initialize()
    except (ValueError, RuntimeError) as error:
      raise UserError(
        f"--distributed: no cluster was found ({first_line(error)}); start it under SLURM, Open "
        "MPI, Kubernetes or on a TPU pod, or leave the flag out on one machine"
      ) from error
  loop.main(flags.config, flags.workdir)


def _evaluate(flags: Any):
  from expocm_jax.evaluation import methods
  from expocm_jax.programs import evaluate

  _require(flags, "output")
  check_numbers(flags.config)
  evaluate.main(
    flags.config,
    sources=[methods.parse_source(text) for text in flags.weights if text],
    output=flags.output,
    views=flags.views,
    size=flags.size,
    methods=flags.methods,
    protocol_names=flags.protocols,
    metric_names=flags.metrics,
    samples=flags.samples,
    seed=flags.seed,
    hdrvdp=flags.hdrvdp,
    cvvdp=flags.cvvdp,
    pixels_per_degree=flags.pixels_per_degree,
    split=flags.split,
  )


def _study(flags: Any):
  from expocm_jax.programs import study

  _require(flags, "workdir")
  study.main(
    flags.config,
    flags.workdir,
    names=flags.variants,
    views=flags.views,
    size=flags.size,
    protocol_names=flags.protocols,
    metric_names=flags.metrics,
    split=flags.split,
  )


def _benchmark(flags: Any):
  from expocm_jax.programs import benchmark

  benchmark.main(weights=_one_source(flags), size=flags.size or 512, output=flags.output)


def _inspect(flags: Any):
  from input_pipeline import inspect

  check_numbers(flags.config)
  if failed := inspect.main(flags.config, limit=flags.limit):
    raise UserError(f"{flags.config.data.root}: {failed} record(s) cannot be read, see above; mend "
                    "or remove them")  # fmt: skip


def _download(flags: Any):
  from input_pipeline import download

  _require(flags, "output")
  if failed := download.main(flags.output):
    raise UserError(f"{flags.output}: {failed} file(s) could not be fetched, see above; the same "
                    "command tries them again")  # fmt: skip


def _reconstruct(flags: Any):
  from expocm_jax.programs import reconstruct

  _require(flags, "input", "output")
  if not all(flags.input):
    raise UserError("--input: empty; name a photo or a folder")
  reconstruct.main(
    input=flags.input,
    output=flags.output,
    weights=_one_source(flags),
    seed=flags.seed,
    steps=flags.steps,
    samples=flags.samples,
    formats=flags.formats,
    exr_dtype=flags.exr_dtype,
  )


def _export(flags: Any):
  from expocm_jax.programs import export

  _require(flags, "workdir", "output")
  export.main(checkpoint=flags.workdir, output=flags.output)


def _prepare(flags: Any):
  from input_pipeline import prepare

  _require(flags, "output")
  check_numbers(flags.config)
  prepare.prepare(flags.config, flags.output, views=flags.views, size=flags.size)


def _demo(flags: Any):
  from expocm_jax.programs import demo

  demo.main(output=flags.output or "demo_output", weights=_one_source(flags))


MODES = {
  "reconstruct": _reconstruct,
  "demo": _demo,
  "download": _download,
  "inspect": _inspect,
  "train": _train,
  "evaluate": _evaluate,
  "study": _study,
  "benchmark": _benchmark,
  "prepare": _prepare,
  "export": _export,
}
_VIEWS = {"output", "views", "size", "config"}
_SCORES = {"views", "size", "protocols", "metrics", "config", "split"}
USED = {  # flags, beside --mode
  "reconstruct": {
    "input", "output", "weights", "seed", "steps", "samples", "formats", "exr_dtype",
  },
  "demo": {"output", "weights"},
  "download": {"output"},
  "inspect": {"limit", "config"},
  "train": {"workdir", "distributed", "config"},
  "evaluate": _SCORES | {
    "output", "weights", "methods", "samples", "seed", "hdrvdp", "cvvdp", "pixels_per_degree",
  },
  "study": _SCORES | {"workdir", "variants"},
  "benchmark": {"weights", "size", "output"},
  "prepare": _VIEWS,
  "export": {"workdir", "output"},
}  # fmt: skip


def run(flags: Any) -> None:
  """Runs the program of --mode.

  Raises UserError for a flag that it would ignore, and what the program raises.
  """
  known = set().union(*USED.values())
  for name in sorted(known - USED[flags.mode]):
    if flags[name].present:
      raise UserError(f"--{name}: not used by --mode={flags.mode}; leave it out")
  MODES[flags.mode](flags)
