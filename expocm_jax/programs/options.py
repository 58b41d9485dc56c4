"""The flags of the command line, in one place: `main.py` declares them all at its start."""

import pathlib
import re

from absl import flags
from ml_collections import config_flags

from expocm_jax.errors import UserError

CONFIG = pathlib.Path(__file__).parents[2] / "configs" / "default.py"
UNTRAINED = ("linear", "bt2446c", "akyuz")  # of expansion.OPERATORS; importing it would load JAX

# What absl, ml_collections and config files raise where something cannot be read.
MISTAKES = (
  AttributeError, ImportError, KeyError, OSError, SyntaxError, TypeError, UserError, ValueError,
)  # fmt: skip


def define(modes: list[str]) -> None:
  """Declares all flags; absl reads the config and its overrides at this moment already."""
  whole, text, several = flags.DEFINE_integer, flags.DEFINE_string, flags.DEFINE_list
  flags.DEFINE_enum("mode", None, modes, "What to do.")
  text("workdir", None, "train, study: folder of the run or runs, resumed if there are any.")
  flags.DEFINE_multi_string("input", [], "reconstruct: photo or folder; may be repeated.")
  text("output", None, "Where results go: a folder; for export a file.")
  flags.DEFINE_multi_string(
    "weights",
    ["tiny"],
    "Shipped name, .safetensors file, or a run's folder. evaluate: may be repeated, as "
    "NAME=PATH too, or empty for none; a diffusion model's may end in :ddim-50 or :ddpm-1000.",
  )
  several("formats", ["exr"], "reconstruct: exr, hdr or exr,hdr.")
  flags.DEFINE_enum("exr_dtype", "half", ["half", "float"], "reconstruct: numbers in .exr files.")
  flags.DEFINE_bool("distributed", False, "train: one of several processes of a pod or cluster.")
  whole("seed", 0, "reconstruct, evaluate: seed of the noise.", lower_bound=0)
  whole("steps", 1, "reconstruct: network calls along the trajectory.", lower_bound=1,
        upper_bound=8)  # fmt: skip
  whole("samples", 1, "reconstruct, evaluate: noise samples to average.", lower_bound=1)
  whole("views", 1, "evaluate, prepare, study: fixed views of each scene.", lower_bound=1)
  whole(
    "size",
    None,
    "evaluate, prepare, study: side of the views in pixels; config.data.crop unless given, and "
    "whole images of pairs. benchmark: 512 unless given.",
    lower_bound=8,
  )
  flags.DEFINE_enum("split", "test", ["test", "validation"], "evaluate, study: what is measured.")
  several("methods", list(UNTRAINED), "evaluate: untrained methods, linear always.")
  several("protocols", None, "evaluate, study: names in docs/evaluation.md; all unless given.")
  several("metrics", None, "evaluate, study: names in docs/evaluation.md; all unless given.")
  text("hdrvdp", None, "evaluate: folder of your copy of HDR-VDP-3; adds it, through Octave.")
  flags.DEFINE_bool("cvvdp", False, "evaluate: adds ColorVideoVDP (pip install cvvdp).")
  flags.DEFINE_float(
    "pixels_per_degree",
    None,
    "evaluate: viewing condition of --hdrvdp (30 unless given) and --cvvdp (75.4).",
    lower_bound=1.0,
  )
  several("variants", None, "study: names of expocm_jax/variants.py; its VARIANTS unless given.")
  whole("limit", None, "inspect: look into at most so many records of a split.", lower_bound=1)
  config_flags.DEFINE_config_file("config", str(CONFIG), "Config, FILE.py or FILE.py:VARIANT.")


def explain(error: Exception) -> str:
  """One line for a person, of what was raised when flags and config were read."""
  text = str(error)
  if isinstance(error, AttributeError | KeyError):
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
  if "get_config()" in text:  # of a file that takes no variant; absl quotes its whole traceback
    text = "--config: only configs/ablation.py takes a :VARIANT; leave it out"
  return f"{text}; see python main.py --help"
