"""What one run says, in a file of its own, also where several train in one process."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

_open: ContextVar[object] = ContextVar("the log of the run that this thread trains", default=None)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Write the package's messages into a file, too: this run's, not those of another one.

    A run's messages come from where it was begun: another thread's have another context.
    """
    handler = logging.FileHandler(path, delay=True, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    handler.addFilter(lambda record: _open.get() is handler)
    package = logging.getLogger("ConSinGAN")
    package.addHandler(handler)
    token = _open.set(handler)
    try:
        yield
    finally:
        _open.reset(token)
        package.removeHandler(handler)
        with contextlib.suppress(OSError):  # what a full disk did not take
            handler.close()
