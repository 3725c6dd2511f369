"""Which kind of place an output directory is: a folder, or a URL of an object store."""

from __future__ import annotations

from pathlib import Path

from ConSinGAN.errors import UsageError
from ConSinGAN.fleet.place import FolderPlace, Place
from ConSinGAN.fleet.store import protocol_of
from ConSinGAN.fleet.store_place import StorePlace

FOLDERS = ("file", "local")  # protocols of what is a folder all the same


def check(where: str | Path, scratch: str | None = None) -> None:
    """Raise UsageError, naming the flag, if it cannot be a place; nothing is written.

    A store is asked for an answer, so that one that cannot be reached is told of at once.
    """
    protocol = protocol_of(str(where))
    if protocol is None or protocol in FOLDERS:
        if scratch is not None:
            raise UsageError(
                f"`scratch` is for an `output_dir` in an object store, and {where} is a folder: "
                "runs are trained in it"
            )
        return
    StorePlace.at(where, scratch).find_mark()


def prepare(where: str | Path, mark: str, scratch: str | None = None) -> Place:
    """The place, with a mark by which machines know it; it keeps the mark that it has.

    where: a folder, which is made, or a URL such as s3://bucket/prefix. Raises UsageError, naming
    the flag, if it cannot be used.
    """
    protocol = protocol_of(str(where))
    if protocol is None or protocol in FOLDERS:
        folder = str(where) if protocol is None else str(where).partition("://")[2]
        return FolderPlace.prepare(Path(folder), mark)
    return StorePlace.at(where, scratch).prepare(mark)
