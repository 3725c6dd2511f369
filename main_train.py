"""Train a generative model of one picture. See --help and README.md."""

import argparse
import logging
import sys

from ConSinGAN import console, modes
from ConSinGAN.config import TrainConfig, prepare
from ConSinGAN.errors import UsageError, run_script
from ConSinGAN.modes.base import Mode
from ConSinGAN.options import add_verbosity, make_parser


def make_train_parser() -> argparse.ArgumentParser:
    """All flags, with the defaults of every mode in their help."""
    special = {mode.name: mode.defaults for mode in modes.all_modes()}
    special["fine-tuning"] = Mode.fine_tune_defaults
    parser = make_parser(TrainConfig, __doc__, special)
    parser.add_argument("--config", metavar="FILE", help="YAML file of option values")
    parser.add_argument(
        "--draft", action="store_true",
        help="a first look: the largest of a few presets that this machine trains in four minutes",
    )  # fmt: skip
    parser.add_argument("--resume", metavar="DIR", help="go on with the interrupted run in DIR")
    add_verbosity(parser)
    return parser


def parse(arguments: list[str] | None = None) -> dict:
    """The flags that the user typed."""
    return vars(make_train_parser().parse_args(arguments))


def main() -> None:
    """Parse, resolve the configuration, train or resume."""
    flags = parse()
    level = flags.pop("level", logging.INFO)
    run_dir = flags.pop("resume", None)
    if run_dir is not None and (flags.pop("config", None) or flags.pop("draft", None)):
        raise UsageError("--resume takes its options from the run: leave --config and --draft away")
    config = prepare(flags | {"draft": None}) if run_dir is None else None
    from ConSinGAN import draft, training
    from ConSinGAN.monitor import setup_logging

    setup_logging(level)
    if flags.get("draft"):
        config = prepare(draft.choose(flags))
    run = training.train(config) if config else training.resume(run_dir, flags)
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
