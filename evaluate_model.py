"""Draw from a trained model: samples, animations, harmonized or edited pictures. See README.md."""

import logging
import sys

from ConSinGAN import ask, console
from ConSinGAN.errors import run_script


def main() -> None:
    """Parse and evaluate."""
    flags = vars(ask.make_parser(__doc__).parse_args())
    console.setup_logging(flags.pop("level", logging.INFO))
    console.say(f"done: {ask.evaluate(flags)}", sys.stdout)


def run() -> int:
    """The console script: main with its errors in one line, returns the exit code."""
    return run_script(main)


if __name__ == "__main__":
    sys.exit(run())
