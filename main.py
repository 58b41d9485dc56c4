"""Runs a mode of the command line: python main.py --help lists them, README.md shows them."""

import sys

from expocm_jax.programs import cli

if __name__ == "__main__":
  sys.exit(cli.main())
