"""The program's folder of temporary files: nobody else can read it, and it does not stay behind."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ConSinGAN import lock
from ConSinGAN.errors import UsageError

PREFIX = "consingan-studio-"


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A new folder, removed at the end; first those of programs that were killed are."""
    _remove_left()
    path = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    try:
        with lock.hold(path):
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _remove_left() -> None:
    """Remove folders whose program has gone without doing so."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, UsageError):  # somebody else's
            if not path.is_symlink() and (path / lock.NAME).exists() and not lock.is_held(path):
                shutil.rmtree(path, ignore_errors=True)
