"""Train a generative model of one picture. See --help and README.md."""

import sys

from ConSinGAN import modes
from ConSinGAN.config import TrainConfig, make_parser, prepare
from ConSinGAN.errors import run_script


def parse(arguments: list[str] | None = None) -> dict:
    """The flags that the user typed."""
    parser = make_parser(TrainConfig, __doc__)
    preset = ", ".join(f"{name} {value}" for name, value in modes.Mode.draft.items())
    parser.add_argument("--config", metavar="FILE", help="YAML file of option values")
    parser.add_argument("--draft", action="store_true", help=f"a first look in minutes: {preset}")
    return vars(parser.parse_args(arguments))


def main() -> None:
    """Parse, resolve the configuration, train."""
    config = prepare(parse())
    from ConSinGAN.monitor import setup_logging
    from ConSinGAN.training import train

    setup_logging()
    run = train(config)
    evaluate = f'python evaluate_model.py --model_dir "{run.path}"'
    if config.naive_img is not None:
        evaluate += f' --naive_img "{config.naive_img}"'
    print(f"done: {run.path}\nlook at {run.path / 'sample_sheet.png'}, then: {evaluate}")


def run() -> int:
    """The console script: main with its errors in one line, returns the exit code."""
    return run_script(main)


if __name__ == "__main__":
    sys.exit(run())
