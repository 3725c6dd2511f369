"""The whole toolkit in a browser: train, look at models, draw, paint. See docs/studio.md."""

from __future__ import annotations

import importlib.util
import logging
import sys

from ConSinGAN import console
from ConSinGAN.errors import UsageError, run_script
from ConSinGAN.studio import options


def main() -> None:
    """Parse and check flags, then serve the page until Ctrl-C."""
    flags = vars(options.make_parser(str(__doc__)).parse_args())
    console.setup_logging(flags.pop("level", logging.INFO))
    config = options.configure(flags)
    if importlib.util.find_spec("gradio") is None:
        raise UsageError("the studio needs Gradio: run 'pip install \"consingan[studio]\"', or "
                         "'pip install \"gradio>=6.25,<7\"'")  # fmt: skip
    from ConSinGAN.studio import server

    server.serve(config)


def run() -> int:
    """The console script: main with its errors in one line, returns the exit code."""
    return run_script(main)


if __name__ == "__main__":
    sys.exit(run())
