"""What libraries say of files stays off the screen; what matters is said by ourselves."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what libraries warn of parts of a file that do not matter from the screen."""
    loggers = [logging.getLogger(name) for name in ("PIL", "tifffile")]
    before = [(logger.propagate, logger.handlers) for logger in loggers]
    for logger in loggers:
        logger.propagate, logger.handlers = False, [logging.NullHandler()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, (propagate, handlers) in zip(loggers, before, strict=True):
            logger.propagate, logger.handlers = propagate, handlers


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Keep from the screen what a C library (libtiff) prints of a damaged file.

    Nothing else may speak meanwhile: what goes to the process's standard error is lost.
    """
    try:
        sys.stderr.flush()
        screen, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except (OSError, AttributeError, ValueError):  # there is no screen
        yield
        return
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(screen, 2)
        os.close(screen)
        os.close(nowhere)
