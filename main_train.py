"""Train a generative model of one picture. See --help and README.md."""

import argparse
import logging
import sys
from typing import Any

from ConSinGAN import console, launch
from ConSinGAN.errors import run_script


def make_train_parser() -> argparse.ArgumentParser:
    """All flags, with the defaults of every mode in their help."""
    parser = launch.make_parser(__doc__)
    parser.add_argument("--resume", metavar="DIR", help="go on with the interrupted run in DIR")
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
