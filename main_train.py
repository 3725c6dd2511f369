"""Train a generative model of one picture. See --help and README.md."""

import argparse
import logging
import sys
from typing import Any

from ConSinGAN import console, launch, modes
from ConSinGAN.config import SCHEMA
from ConSinGAN.errors import run_script
from ConSinGAN.modes.base import Mode
from ConSinGAN.options import add_verbosity
from ConSinGAN.registry import PRESETS


def make_train_parser() -> argparse.ArgumentParser:
    """All flags, with the defaults of every mode in their help."""
    special = {mode.name: mode.defaults for mode in modes.all_modes()}
    special["fine-tuning"] = Mode.fine_tune_defaults
    parser = SCHEMA.make_parser(__doc__, special)
    parser.add_argument("--config", metavar="FILE", help="YAML file of option values")
    presets = "; ".join(f"{name}: {c.summary}" for name, c in PRESETS.components.items())
    parser.add_argument("--preset", choices=PRESETS.names(), help=presets)
    parser.add_argument("--draft", action="store_true", help="the same as --preset draft")
    parser.add_argument("--resume", metavar="DIR", help="go on with the interrupted run in DIR")
    add_verbosity(parser)
    return parser


def parse(arguments: list[str] | None = None) -> dict[str, Any]:
    """The flags that the user typed."""
    return vars(make_train_parser().parse_args(arguments))


def main() -> None:
    """Parse, then train or resume, and say how to go on."""
    flags = parse()
    console.setup_logging(flags.pop("level", logging.INFO))
    run_dir = flags.pop("resume", None)
    run = launch.train(flags) if run_dir is None else launch.resume(run_dir, flags)
    words = ["python", "evaluate_model.py", "--model_dir", run.path]
    saved = run.load_config()
    if saved.naive_img is not None:
        words += ["--naive_img", saved.naive_img]
        if saved.fine_tune and saved.frame is not None:
            words += ["--frame", saved.frame]
    sheet = run.path / "sample_sheet.png"
    console.say(f"done: {run.path}\nlook at {sheet}, then: {console.command(*words)}", sys.stdout)


def run() -> int:
    """The console script: main with its errors in one line, returns the exit code."""
    return run_script(main)


if __name__ == "__main__":
    sys.exit(run())
