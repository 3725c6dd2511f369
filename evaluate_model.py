"""Draw from a trained model: samples, GIFs, harmonized or edited pictures. See README.md."""

import sys
from pathlib import Path

from ConSinGAN.config import EvalConfig, make_parser, prepare_evaluation
from ConSinGAN.errors import run_script


def evaluate(config: EvalConfig) -> Path:
    """Write everything that the model's mode draws into <run>/Evaluation; returns that folder."""
    from ConSinGAN import hardware
    from ConSinGAN.run import RunDirectory

    run = RunDirectory.open(config.model_dir)
    device = hardware.select_device(config)
    precision = hardware.select_precision(config.precision, device)
    hardware.tune()
    model = run.load_model(device)
    model.set_precision(precision)
    model.mode.validate_evaluation(config)
    folder = run.path / "Evaluation"
    model.mode.evaluate(model, config, folder)
    return folder


def main() -> None:
    """Parse and evaluate."""
    config = prepare_evaluation(vars(make_parser(EvalConfig, __doc__).parse_args()))
    from ConSinGAN.monitor import setup_logging

    setup_logging()
    print(f"done: {evaluate(config)}")


def run() -> int:
    """The console script: main with its errors in one line, returns the exit code."""
    return run_script(main)


if __name__ == "__main__":
    sys.exit(run())
