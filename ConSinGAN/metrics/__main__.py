"""Compare pictures with a real one.

REAL is a picture file (or a folder with just one); every FAKE a picture file or a folder of them.
"""

import logging
import os
import sys

from ConSinGAN import console
from ConSinGAN.config import check_device
from ConSinGAN.errors import run_script
from ConSinGAN.evaluation import MetricsConfig
from ConSinGAN.options import add_verbosity, build, make_parser


def main() -> None:
    """Parse, measure, print the table."""
    parser = make_parser(MetricsConfig, __doc__)
    parser.prog = "python -m ConSinGAN.metrics"
    add_verbosity(parser)
    parser.add_argument("real", metavar="REAL")
    parser.add_argument("fakes", metavar="FAKE", nargs="+")
    parser.add_argument(
        "--output", default="metrics.yaml", metavar="FILE",
        help="where to write values and settings (default: metrics.yaml)",
    )  # fmt: skip
    flags = vars(parser.parse_args())
    level = flags.pop("level", logging.INFO)
    real, fakes, output = (flags.pop(name) for name in ("real", "fakes", "output"))
    output = os.path.expanduser(output)  # noqa: PTH111 (not a Path, which alters what was typed)
    config = build(MetricsConfig, flags)
    check_device(config)
    from ConSinGAN import hardware
    from ConSinGAN.metrics import report
    from ConSinGAN.monitor import setup_logging

    setup_logging(level)
    hardware.tune()
    hardware.set_threads(config.threads)
    table = report.measure_files(real, fakes, config, output).to_table()
    console.say(f"{table}\ndone: {output}", sys.stdout)


def run() -> int:
    """The console script: main with its errors in one line, returns the exit code."""
    return run_script(main)


if __name__ == "__main__":
    sys.exit(run())
