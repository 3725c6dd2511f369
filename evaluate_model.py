"""Draw from a trained model: samples, animations, harmonized or edited pictures. See README.md."""

import argparse
import logging
import sys

from ConSinGAN import ask, console
from ConSinGAN.errors import run_script
from ConSinGAN.evaluation import SCHEMA
from ConSinGAN.options import add_verbosity
from ConSinGAN.registry import TASKS


def make_evaluation_parser() -> argparse.ArgumentParser:
    """All flags, those of every task among them."""
    special = {name: TASKS.load(name).defaults for name in TASKS.names()}
    parser = SCHEMA.make_parser(__doc__, special)
    add_verbosity(parser)
    return parser


def main() -> None:
    """Parse and evaluate."""
    flags = vars(make_evaluation_parser().parse_args())
    console.setup_logging(flags.pop("level", logging.INFO))
    console.say(f"done: {ask.evaluate(flags)}", sys.stdout)


def run() -> int:
    """The console script: main with its errors in one line, returns the exit code."""
    return run_script(main)


if __name__ == "__main__":
    sys.exit(run())
