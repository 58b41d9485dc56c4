"""The command line: which flags each mode takes, and how a user's mistakes are told.

Programs are imported when they run, so that `--help` and mistakes answer at once, without JAX.
"""

import functools
import os
import pathlib
import pkgutil
import re
import signal
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from absl import flags
from ml_collections import ConfigDict, config_flags

from expocm_jax.errors import UserError, first_line
from expocm_jax.training import config_check

ROOT = pathlib.Path(__file__).parents[2]
CHECKOUT = (ROOT / "pyproject.toml").is_file()  # else an installed package: no configs, no data


class Mode(NamedTuple):
  """What `--mode` chooses; `run` is called with the given flags by name, and with the config."""

  summary: str
  run: str | Callable[..., Any]  # "module:function", or one of this module
  needs: str = ""  # flags without which it cannot run
  takes: str = ""  # flags whose defaults are those of the function
  checkout: bool = True  # needs configs/ or input_pipeline/, which an installed package lacks

  @property
  def flags(self) -> list[str]:
    return [*self.needs.split(), *self.takes.split()]


def _train(config: ConfigDict, workdir: str, distributed: bool = False):
  from expocm_jax.training import loop

  if distributed:
    import jax

    try:
      jax.distributed.initialize()
    except (ValueError, RuntimeError) as error:
      raise UserError(
        f"--distributed: no cluster was found ({first_line(error)}); start it under SLURM, Open "
        "MPI, Kubernetes or on a TPU pod, or leave the flag out on one machine"
      ) from error
  loop.main(config, workdir)


def _inspect(config: ConfigDict, limit: int | None = None):
  from input_pipeline import inspect

  if failed := inspect.main(config, limit=limit):
    raise UserError(f"{config.data.root}: {failed} record(s) cannot be read, see above; mend or "
                    "remove them")  # fmt: skip


def _prepare(config: ConfigDict, output: str, views: int = 1, size: int | None = None):
  from input_pipeline import prepare

  prepare.prepare(config, output, views=views, size=size)


def _download(output: str):
  from input_pipeline import download

  if failed := len(download.main(output)):
    raise UserError(f"{output}: {failed} file(s) could not be fetched, see above; the same command "
                    "tries them again")  # fmt: skip


MODES = {
  "reconstruct": Mode(
    "photos to .exr or .hdr",
    "expocm_jax.programs.reconstruct:main",
    needs="input output",
    takes="weights response seed steps samples formats exr_dtype",
    checkout=False,
  ),
  "calibrate": Mode(
    "a camera's response from an exposure bracket",
    "expocm_jax.programs.calibrate:main",
    needs="input output",
    takes="method exposures",
    checkout=False,
  ),
  "demo": Mode(
    "the same with photos of this project",
    "expocm_jax.programs.demo:main",
    takes="output weights",
  ),
  "download": Mode("public HDR scenes, CC0 and BSD-3", _download, needs="output"),
  "inspect": Mode("what a data set holds", _inspect, takes="config limit"),
  "train": Mode("starts a run, or resumes it", _train, needs="workdir", takes="config distributed"),
  "train_response": Mode(
    "trains the estimator of --response=estimate",
    "expocm_jax.training.response_estimator:main",
    needs="output",
    takes="config",
  ),
  "evaluate": Mode(
    "metrics, tables and a page",
    "expocm_jax.programs.evaluate:main",
    needs="output",
    takes="config weights methods samples seed views size split cameras reading protocols metrics "
    "hdrvdp cvvdp pixels_per_degree",
  ),
  "study": Mode(
    "baselines and ablations, trained and evaluated",
    "expocm_jax.programs.study:main",
    needs="workdir",
    takes="config variants views size split cameras reading protocols metrics",
  ),
  "benchmark": Mode(
    "speed of one step beside DDIM and DDPM, or of the pipeline",
    "expocm_jax.programs.benchmark:main",
    takes="config what weights size output",
    checkout=False,
  ),
  "prepare": Mode("fixed views, written once", _prepare, needs="output", takes="config views size"),
  "export": Mode(
    "a run's weights in one file",
    "expocm_jax.programs.export:main",
    needs="workdir output",
    checkout=False,
  ),
}
RUNNABLE = [name for name, mode in MODES.items() if CHECKOUT or not mode.checkout]


class _ModeParser(flags.ArgumentParser):
  """Refuses an unknown mode, and one that lacks its files, before any other flag is looked at."""

  def parse(self, argument: str) -> str:
    if argument not in MODES:
      raise ValueError(f"unknown; choose one of {', '.join(RUNNABLE)}")
    if argument not in RUNNABLE:
      raise ValueError("runs from a checkout of the project, as python main.py --mode=...")
    return argument


_text, _texts, _list, _switch = (
  flags.DEFINE_string, flags.DEFINE_multi_string, flags.DEFINE_list, flags.DEFINE_bool,
)  # fmt: skip
_whole = functools.partial(flags.DEFINE_integer, lower_bound=1)


def _choice(*values: str) -> Callable:
  return functools.partial(flags.DEFINE_enum, enum_values=values)


# All but --mode and --config. None has a default: what is not given is left to the program.
FLAGS = {
  "input": (_texts, "photo or folder; may be repeated."),
  "output": (_text, "a folder, for export, calibrate and train_response a file."),
  "workdir": (_text, "folder of the run or runs."),
  "weights": (
    _texts,
    "shipped name (tiny unless given), .safetensors file, or a run's folder. For evaluate also "
    "NAME=PATH, several, or empty for none; a diffusion model's may end in :ddim-50 or :ddpm-1000.",
  ),
  "response": (
    _text,
    "the camera's, undone first: gamma:2.2, a .csv of code,linear, or estimate; without it the "
    "photo is read as sRGB.",
  ),
  "method": (_choice("debevec", "robertson"), "of calibration, debevec unless given."),
  "exposures": (_list, "time of each photo, 1/60,1/15,...; from EXIF unless given."),
  "seed": (
    functools.partial(_whole, lower_bound=0, upper_bound=config_check.LIMITS["seed"][1]),
    "seed of the noise, 0 unless given.",
  ),
  "steps": (
    functools.partial(_whole, upper_bound=8),
    "network calls along the trajectory, 1 unless given.",
  ),
  "samples": (_whole, "noise samples to average, 1 unless given."),
  "formats": (_list, "exr (unless given), hdr or exr,hdr."),
  "exr_dtype": (_choice("half", "float"), "numbers in .exr files, half unless given."),
  "limit": (_whole, "look into at most so many records of a split."),
  "distributed": (_switch, "one of several processes of a pod or cluster."),
  "variants": (_list, "names in configs/ablation.py; its VARIANTS unless given."),
  "views": (_whole, "fixed views of each scene, 1 unless given."),
  "size": (
    functools.partial(_whole, lower_bound=8),
    "side of the views in pixels; config.data.crop unless given, and whole images of pairs; for "
    "benchmark of the images, 512 unless given.",
  ),
  "split": (_choice("test", "validation"), "what is measured, test unless given."),
  "cameras": (_list, "training,srgb,filmic: cameras that photograph HDR scenes; all unless given."),
  "reading": (
    _choice("display", "camera"),
    "of their photos: sRGB as they say (unless given), or with the camera's curve undone.",
  ),
  "methods": (_list, "untrained methods; all unless given, linear always."),
  "protocols": (_list, "names in docs/evaluation.md; all unless given."),
  "metrics": (_list, "names in docs/evaluation.md; all unless given."),
  "hdrvdp": (_text, "folder of your copy of HDR-VDP-3; adds it, through Octave."),
  "cvvdp": (_switch, "adds ColorVideoVDP (pip install cvvdp)."),
  "pixels_per_degree": (
    functools.partial(flags.DEFINE_float, lower_bound=1.0),
    "viewing condition of --hdrvdp (30 unless given) and --cvvdp (75.4).",
  ),
  "what": (
    _choice("samplers", "pipeline"),
    "one step beside DDIM and DDPM (unless given), or records/s of the config's data and of its "
    "train step.",
  ),
}


def define(argv: list[str]) -> flags.FlagValues:
  """All flags, not parsed yet; `argv` tells which fields of the config are set."""
  values = flags.FlagValues()
  values.set_gnu_getopt()  # photos may stand before flags
  mode_flag = flags.Flag(_ModeParser(), flags.ArgumentSerializer(), "mode", None, "What to do.")
  flags.DEFINE_flag(mode_flag, flag_values=values)
  for name, (kind, text) in FLAGS.items():
    if users := ", ".join(mode for mode in RUNNABLE if name in MODES[mode].flags):
      kind(name=name, default=None, help=f"{users}: {text}", flag_values=values)
  if CHECKOUT:
    config_flags.DEFINE_config_file(
      "config",
      str(ROOT / "configs" / "default.py"),
      "Config, FILE.py or FILE.py:VARIANT; --config.FIELD=VALUE changes a field.",
      flag_values=values,
      sys_argv=argv,
    )
  return values


def parse(argv: list[str]) -> flags.FlagValues:
  """The flags of a command line, photos without a flag taken for `--input`.

  Raises UserError for what cannot be read, no mode, and flags that the mode lacks or would ignore.
  """
  try:
    values = define(argv)
    photos = values(argv)[1:]
    if CHECKOUT:
      values.config.lock()  # loads the file now
  except Exception as error:  # of absl, ml_collections, or whatever a config file raises
    raise UserError(_explain(error)) from error
  if photos:
    values.mode = values.mode or "reconstruct"
    if values.mode != "reconstruct":
      raise UserError(f"{photos[0]}: unexpected argument; flags start with --")
    values.input = [*(values.input or []), *photos]
  if values.mode is None:
    raise UserError(
      f"--mode: missing; name photos, or choose one of {', '.join(RUNNABLE)}, see --help"
    )
  mode = MODES[values.mode]
  for name in mode.needs.split():
    if not values[name].value:
      raise UserError(f"--{name}: missing; --mode={values.mode} needs it, see --help")
  for name in values:
    used = name.partition(".")[0] in ("mode", *mode.flags)
    if not used and not values[name].using_default_value:
      raise UserError(f"--{name}: not used by --mode={values.mode}; leave it out")
  return values


def _explain(error: Exception) -> str:
  """One line for a person, of what was raised when flags and config were read."""
  text = str(error)
  if isinstance(error, AttributeError | KeyError):
    if "has no attribute" in text:  # Python's, as of a file without get_config, not a ConfigDict's
      return f"--config: {text}; mend the file, configs/tiny.py shows what one is like"
    text = text.replace("\\", "").replace("\n", " ")
    # Set in a config file; else on the command line, quoted or not.
    field = re.search(r'Key "(.+?)"', text) or re.search(r"[\"']*([^\"']+)", text)
    meant = re.search(r'Did you mean "(.+?)"', text)
    hint = f", perhaps {meant[1]!r}" if meant else ""
    return f"--config: no field {field[1]!r}{hint}; configs/default.py lists every field"
  if isinstance(error, OSError | ImportError | SyntaxError):
    missing = re.search(r"No such file or directory: '(.+?)'", text)  # absl wraps it in its story
    problem = f"{missing[1]}: no such file" if missing else text
    return f"--config: {problem}; give a file such as configs/tiny.py"
  flag, parsing, trace = text.partition(": Error whilst parsing config file:")
  if parsing:  # a whole traceback follows
    problem = trace.rstrip().splitlines()[-1]
    if "get_config() takes" in problem:
      return "--config: only configs/ablation.py takes a :VARIANT; leave it out"
    return f"{flag.removeprefix('flag ')}: {problem}; mend the file"
  return f"{text}; see --help"


def run(values: flags.FlagValues):
  """Calls the program of `--mode`.

  Raises UserError for a config without fields of the default one, of other types or with numbers
  outside their limits, for requirements of a checkout that are not installed, and what the program
  raises.
  """
  mode = MODES[values.mode]
  given = {
    name: values[name].value
    for name in mode.flags
    if name in values and (name == "config" or not values[name].using_default_value)
  }
  if "weights" in given and values.mode != "evaluate":
    if len(given["weights"]) != 1 or not given["weights"][0]:
      raise UserError(f"--weights: --mode={values.mode} takes one")
    given["weights"] = given["weights"][0]
  if "config" in given:
    from configs import default

    config_check.check_fields(given["config"], default.get_config())
    config_check.check_numbers(given["config"])
  try:
    program = pkgutil.resolve_name(mode.run) if isinstance(mode.run, str) else mode.run
    program(**given)
  except ModuleNotFoundError as error:
    if not CHECKOUT:
      raise
    requirements = ROOT / "requirements.txt"
    raise UserError(f"--mode={values.mode}: {error}; pip install -r {requirements}") from error


class _Terminated(BaseException):
  """SIGTERM: as an exception it lets programs remove their temporary files."""


def _terminate(number: int, frame: object):
  raise _Terminated


def main() -> int:
  """Runs `sys.argv`; the exit status: 0, 2 after a user's mistake, 128 + a signal that ended it."""
  if {"-h", "--help"} & set(sys.argv):
    print(usage())
    return 0
  if CHECKOUT:
    sys.path.insert(0, str(ROOT))  # `pip install -e .` finds the package alone
  signal.signal(signal.SIGTERM, _terminate)
  try:
    run(parse(sys.argv))
  except UserError as error:
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    print("stopped by Ctrl-C; what was finished is kept", file=sys.stderr, flush=True)
    return 130
  except _Terminated:
    print("stopped by SIGTERM; what was finished is kept", file=sys.stderr, flush=True)
    os._exit(143)  # at once: a compilation in the background would crash a slow end
  return 0


def usage() -> str:
  """What `--help` prints."""
  program = pathlib.Path(sys.argv[0]).name
  lines = [f"usage: {program} PHOTO... --output=DIR", f"       {program} --mode=MODE [--flags]", ""]
  lines += [f"  {name:14} {MODES[name].summary}" for name in RUNNABLE]
  return "\n".join([*lines, define(sys.argv[:1]).get_help(include_special_flags=False)])
