"""Compare pictures with a real one.

REAL is a picture file (or a folder with just one); every FAKE a picture file or a folder of them.
"""

import logging
import os
import sys

from ConSinGAN import console
from ConSinGAN.config import check_device
from ConSinGAN.errors import run_script
from ConSinGAN.evaluation import METRICS_SCHEMA
from ConSinGAN.options import add_verbosity


def main() -> None:
    """Parse, measure, print the table."""
    parser = METRICS_SCHEMA.make_parser(__doc__)
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
    config = METRICS_SCHEMA.build(typed=flags)
    check_device(config)
    from ConSinGAN import hardware
    from ConSinGAN.metrics import report

    console.setup_logging(level)
    hardware.tune()
    hardware.set_threads(config.threads)
    table = report.measure_files(real, fakes, config, output).to_table()
    console.say(f"{table}\ndone: {output}", sys.stdout)


def run() -> int:
    """The console script: main with its errors in one line, returns the exit code."""
    return run_script(main)


if __name__ == "__main__":
    sys.exit(run())
