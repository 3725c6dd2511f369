"""Many pictures at once, and sweeps of settings, on this machine or a Ray cluster.

    python -m ConSinGAN.fleet train FOLDER_OR_GLOB    a model of every picture
    python -m ConSinGAN.fleet draw RUNS --task T      what a task draws of every model
    python -m ConSinGAN.fleet metrics RUNS            one table of all models, and a contact sheet
    python -m ConSinGAN.fleet sweep PICTURE --grid    the best settings

Each says more with --help. See docs/fleet.md.
"""

from __future__ import annotations

import importlib
import logging
import sys
from types import ModuleType

from ConSinGAN import console
from ConSinGAN.errors import UsageError, run_script

COMMANDS = ("train", "draw", "metrics", "sweep")


def _command(name: str) -> ModuleType:
    """The module of a command."""
    return importlib.import_module(f"ConSinGAN.fleet.{name}")


def main() -> None:
    """Choose the command, parse its flags, do it, say what came of it."""
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help"):
        console.say(str(__doc__).strip(), sys.stdout)
        return
    if words[0] not in COMMANDS:
        raise UsageError(f"fleet {words[0]}: the commands are {', '.join(COMMANDS)} (see --help)")
    command = _command(words[0])
    flags = vars(command.make_parser().parse_args(words[1:]))
    console.setup_logging(flags.pop("level", logging.INFO))
    console.say(f"done: {command.do(flags)}", sys.stdout)


def run() -> int:
    """The console script: main with its errors in one line, returns the exit code."""
    return run_script(main)


if __name__ == "__main__":
    sys.exit(run())
