"""Files that are whole or not there. Needs no torch; tensor files are in `files`."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


def write_atomic(path: Path, data: bytes, durable: bool = True) -> None:
    """Write `data` to a temporary name and rename it, so that `path` is the old or the new file.

    durable: also wait until the disk has it. Raises OSError naming `path`, and leaves no temporary
    file.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    if durable:
        sync_directory(path.parent)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name to write to, which becomes `path` if all goes well.

    Raises OSError naming `path`, and leaves no temporary file.
    """
    temporary = temporary_name(path)
    try:
        yield temporary
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None
        raise


def temporary_name(path: Path) -> Path:
    """Where `path` is written before it is renamed: another name each time.

    Short, because the system bounds a name's length and `path` may be near it.
    """
    return path.with_name(f".{secrets.token_hex(8)}.tmp")


def sync_directory(folder: Path) -> None:
    """Make renames in `folder` durable, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()
