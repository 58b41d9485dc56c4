"""The command line: python main.py --mode=MODE [--flags]; README.md shows each mode at work.

--mode=reconstruct --input=PHOTO_OR_FOLDER --output=DIR   photos to .exr or .hdr
--mode=demo        [--output=DIR]                         the same with photos of packages
--mode=download    --output=DIR                           public HDR scenes, CC0 and BSD-3
--mode=inspect     --config.data.root=DIR                 what a data set holds
--mode=train       --config=FILE.py --workdir=DIR         starts a run, or resumes it
--mode=evaluate    --config.data.root=DIR --output=DIR    metrics, tables and a page
--mode=study       --config=FILE.py --workdir=DIR         baselines and ablations, all of it
--mode=benchmark   [--size=512]                           one step against DDIM and DDPM
--mode=prepare     --config.data.root=DIR --output=DIR    fixed views, written once
--mode=export      --workdir=DIR --output=NAME.safetensors
"""

import os
import re
import signal
import sys

from absl import app, flags, logging

from expocm_jax import modes, options
from expocm_jax.errors import UserError

FLAGS = flags.FLAGS


def fail(message: object) -> int:
  """Prints one line about a user's mistake; returns the exit status."""
  print(f"error: {' '.join(str(message).split())}", file=sys.stderr)
  return 2


def parse(argv: list[str]) -> list[str]:
  """Declares and parses the flags; what cannot be read ends the program with one line."""
  try:
    options.define(list(modes.MODES))
    flags.adopt_module_key_flags(options)  # --help lists them
    rest = FLAGS(argv)
    FLAGS.config.lock()  # loads the file now
    return rest
  except SystemExit:
    sys.exit(0)  # --help, which absl ends with 1
  except (AttributeError, KeyError) as error:
    text = str(error).replace("\\", "").replace("\n", " ")
    # Set in a config file; else on the command line, quoted or not.
    field = re.search(r'Key "(.+?)"', text) or re.search(r"[\"']*([^\"']+)", text)
    meant = re.search(r'Did you mean "(.+?)"', text)
    hint = f", perhaps {meant[1]!r}" if meant else ""
    sys.exit(fail(f"--config: no field {field[1]!r}{hint}; configs/default.py lists every field"))
  except (OSError, ImportError, SyntaxError) as error:
    # absl wraps the reason in its own story.
    missing = re.search(r"No such file or directory: '(.+?)'", str(error))
    problem = f"{missing[1]}: no such file" if missing else error
    sys.exit(fail(f"--config: {problem}; give a file such as configs/tiny.py"))
  except (flags.Error, TypeError, ValueError, UserError) as error:
    text = str(error)
    if "get_config()" in text:  # of a file that takes no variant; absl quotes its whole traceback
      text = "--config: only configs/ablation.py takes a :VARIANT; leave it out"
    sys.exit(fail(f"{text}; see python main.py --help"))


class Terminated(BaseException):
  """SIGTERM: as an exception it lets programs remove their temporary files."""


def terminate(number: int, frame: object):
  raise Terminated


def main(argv: list[str]) -> int:
  if len(argv) > 1:
    return fail(f"{argv[1]}: unexpected argument; flags start with --")
  if FLAGS.mode is None:
    return fail(f"--mode: missing; choose one of {', '.join(modes.MODES)}, see --help")
  logging.set_verbosity(logging.WARNING)  # JAX reports the backends that it does not find
  signal.signal(signal.SIGTERM, terminate)
  try:
    modes.run(FLAGS)
  except UserError as error:
    return fail(error)
  except KeyboardInterrupt:
    return 130
  except Terminated:
    print("stopped by SIGTERM; what was finished is kept", file=sys.stderr, flush=True)
    os._exit(143)  # at once: a compilation in the background would crash a slow end
  return 0


if __name__ == "__main__":
  app.run(main, flags_parser=parse)
