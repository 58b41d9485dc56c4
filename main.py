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
import signal
import sys

from absl import app, flags, logging

from expocm_jax.errors import UserError
from expocm_jax.programs import modes, options

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
  except (flags.Error, *options.MISTAKES) as error:
    sys.exit(fail(options.explain(error)))


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
    print("stopped by Ctrl-C; what was finished is kept", file=sys.stderr, flush=True)
    return 130
  except Terminated:
    print("stopped by SIGTERM; what was finished is kept", file=sys.stderr, flush=True)
    os._exit(143)  # at once: a compilation in the background would crash a slow end
  return 0


if __name__ == "__main__":
  app.run(main, flags_parser=parse)
