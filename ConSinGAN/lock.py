"""Locks on folders: held by one process, and gone with it however it ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import filelock

from ConSinGAN.errors import UsageError

NAME = ".lock"  # of the file in the folder


class InUse(Exception):
    """Another process holds the lock."""


@contextlib.contextmanager
def hold(folder: Path, seconds: float = 0, keep: bool = True) -> Iterator[None]:
    """Hold the folder's lock. Raises InUse if another process has it for `seconds` (-1: for ever).

    keep: leave the lock file behind. A file system without locks lets everybody in. Raises
    UsageError if the lock file is a link, as a stranger might have left one.
    """
    if (folder / NAME).is_symlink():  # locking empties the file
        raise UsageError(f"{folder / NAME}: is a link; refused")
    lock = filelock.FileLock(folder / NAME)
    try:
        lock.acquire(timeout=seconds)
    except filelock.Timeout:
        raise InUse from None
    except NotImplementedError:
        yield
        return
    try:
        yield
    finally:
        if not keep:
            remove(folder)  # before somebody else has it
        lock.release()
        if not keep and os.name == "nt":  # there a held file cannot be removed
            remove(folder)


def is_held(folder: Path) -> bool:
    """Whether a process holds the folder's lock in this moment; leaves no file behind."""
    if not (folder / NAME).exists():
        return False
    try:
        with hold(folder):
            return False
    except InUse:
        return True
    except OSError:  # a read-only folder, in which nobody works
        return False


def remove(folder: Path) -> None:
    """Remove the lock file; where one that is held cannot be, it stays."""
    with contextlib.suppress(OSError):
        (folder / NAME).unlink(missing_ok=True)
