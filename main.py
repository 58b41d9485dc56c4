"""The command line: python main.py --mode=MODE [--flags]; README.md shows each mode at work.

--mode=reconstruct --input=PHOTO_OR_FOLDER --output=DIR   photos to .exr or .hdr
--mode=demo        [--output=DIR]                         the same with photos of packages
--mode=train       --config=FILE.py --workdir=DIR         starts a run, or resumes it
--mode=evaluate    --config.data.root=DIR --output=DIR    scores on test views
--mode=prepare     --config.data.root=DIR --output=DIR    fixed views, written once
--mode=export      --workdir=DIR --output=NAME.safetensors
"""

import pathlib
import re
import signal
import sys

from absl import app, flags, logging
from ml_collections import config_flags

from expocm_jax import modes
from expocm_jax.errors import UserError

FLAGS = flags.FLAGS


def define_flags():
  """Declares all flags; absl reads the config and its overrides at this moment already."""
  whole = flags.DEFINE_integer
  flags.DEFINE_enum("mode", None, list(modes.MODES), "What to do.")
  flags.DEFINE_string("workdir", None, "train: folder of the run, resumed if there is one.")
  flags.DEFINE_multi_string("input", [], "reconstruct: photo or folder; may be repeated.")
  flags.DEFINE_string("output", None, "Where results go: a folder; for export a file.")
  flags.DEFINE_string("weights", "tiny", "Shipped name, .safetensors file, or a run's folder.")
  flags.DEFINE_list("formats", ["exr"], "reconstruct: exr, hdr or exr,hdr.")
  flags.DEFINE_enum("exr_dtype", "half", ["half", "float"], "reconstruct: numbers in .exr files.")
  flags.DEFINE_bool("distributed", False, "train: one of several processes of a pod or cluster.")
  whole("seed", 0, "reconstruct: seed of the noise.", lower_bound=0)
  whole("steps", 1, "reconstruct: network calls along the trajectory.", lower_bound=1)
  whole("samples", 1, "reconstruct: noise samples to average.", lower_bound=1)
  whole("views", 4, "evaluate, prepare: fixed views of each scene.", lower_bound=1)
  whole("size", None, "evaluate, prepare: side of the views, pixels.", lower_bound=8)
  default = pathlib.Path(__file__).parent / "configs" / "default.py"
  config_flags.DEFINE_config_file("config", str(default), "Config, FILE.py or FILE.py:VARIANT.")


def fail(message: object) -> int:
  """Prints one line about a user's mistake; returns the exit status."""
  print(f"error: {' '.join(str(message).split())}", file=sys.stderr)
  return 2


def parse(argv: list[str]) -> list[str]:
  """Declares and parses the flags; what cannot be read ends the program with one line."""
  try:
    define_flags()
    rest = FLAGS(argv)
    FLAGS.config.lock()  # loads the file now
    return rest
  except SystemExit:
    sys.exit(0)  # --help, which absl ends with 1
  except (AttributeError, KeyError) as error:
    named = re.search(r'Key "(.+?)"', str(error))  # set in a config file; else on the command line
    field = named[1] if named else str(error).strip("\"'")
    sys.exit(fail(f"--config: no field {field!r}; configs/default.py lists every field"))
  except (OSError, ImportError, SyntaxError) as error:
    sys.exit(fail(f"--config: {error}; give a file such as configs/tiny.py"))
  except (flags.Error, TypeError, ValueError, UserError) as error:
    sys.exit(fail(f"{error}; see python main.py --help"))


def main(argv: list[str]) -> int:
  if len(argv) > 1:
    return fail(f"{argv[1]}: unexpected argument; flags start with --")
  if FLAGS.mode is None:
    return fail(f"--mode: missing; choose one of {', '.join(modes.MODES)}, see --help")
  logging.set_verbosity(logging.WARNING)  # JAX reports the backends that it does not find
  # Ended by an exception, programs remove their temporary files.
  signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
  try:
    modes.MODES[FLAGS.mode](FLAGS)
  except UserError as error:
    return fail(error)
  except KeyboardInterrupt:
    return 130
  return 0


if __name__ == "__main__":
  app.run(main, flags_parser=parse)
