"""Draw from a trained model: samples, GIFs, harmonized or edited pictures. See README.md."""

import logging
import sys
from pathlib import Path

from ConSinGAN import console
from ConSinGAN.errors import run_script
from ConSinGAN.evaluation import EvalConfig, prepare_evaluation
from ConSinGAN.options import add_verbosity, make_parser


def evaluate(config: EvalConfig) -> str:
    """Write what the model's mode draws, or its metrics; return where."""
    from ConSinGAN import hardware
    from ConSinGAN.results import Results
    from ConSinGAN.run import RunDirectory

    hardware.set_threads(config.threads)
    run = RunDirectory.open(config.model_dir)
    device = hardware.select_device(config)
    precision = hardware.select_precision(config.precision, device)
    hardware.tune()
    model = run.load_model(device)
    model.set_precision(precision)
    model.mode.validate_evaluation(config)
    if config.output_dir is None:
        results = Results(run.inside("Evaluation"), "--model_dir")
    else:
        results = Results(Path(config.output_dir))
    if config.metrics:
        from ConSinGAN.metrics.report import print_metrics

        if not print_metrics(model, config, results, sys.stdout):
            return "the metrics are above, no file was written"
    else:
        model.mode.evaluate(model, config, results)
    return str(results.folder)


def main() -> None:
    """Parse and evaluate."""
    parser = make_parser(EvalConfig, __doc__)
    add_verbosity(parser)
    flags = vars(parser.parse_args())
    level = flags.pop("level", logging.INFO)
    config = prepare_evaluation(flags)
    from ConSinGAN.monitor import setup_logging

    setup_logging(level)
    console.say(f"done: {evaluate(config)}", sys.stdout)


def run() -> int:
    """The console script: main with its errors in one line, returns the exit code."""
    return run_script(main)


if __name__ == "__main__":
    sys.exit(run())
