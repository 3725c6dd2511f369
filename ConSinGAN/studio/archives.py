"""Run directories as ZIP files: made, and opened without trust.

What is opened may be anybody's: every name is looked at before a byte is written, sizes are counted
while they are unpacked, whatever the archive says of them, and nothing is a model before the house
has read it as one.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ConSinGAN import saved
from ConSinGAN.errors import UsageError

MOST_FILES = 5000
MOST_BYTES = 2 * 2**30  # unpacked
MOST_RATIO = 200  # unpacked to packed, of all files together; real ones have about 1
FREE = 2**20  # bytes that need no such ratio
NAME = re.compile(r"[^\\:*?\"<>|\x00-\x1f\x7f]{1,200}")  # a name on every system
ADDED = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")  # by systems, to be left out
LEFT_OUT = re.compile(r"\.lock|\..*\.tmp|checkpoint.*\.safetensors|events\.out\..*")
CHUNK = 2**20
ODD = re.compile(r"[^\w.-]+")


def pack(run: Path, target: Path) -> None:
    """Write a run directory into a ZIP file, all but what only a run in progress needs."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # weights do not shrink
        for path in sorted(run.rglob("*")):
            if path.is_symlink() or not path.is_file() or LEFT_OUT.fullmatch(path.name):
                continue
            archive.write(path, f"{run.name}/{path.relative_to(run).as_posix()}")


def unpack(file: Path, models: Path, own: Path, check: Callable[[Path], None]) -> Path:
    """Put the run of a ZIP file among the models; its run directory.

    own: where it is unpacked first, on the same disk. check: raises UsageError if that is no
    finished model. Raises UsageError, and leaves nothing behind, if anything is odd about it.
    """
    incoming = own / "incoming" / secrets.token_hex(8)
    try:
        incoming.mkdir(parents=True)
        try:
            with zipfile.ZipFile(file) as archive:
                top, entries = _looked_at(archive)
                _write(archive, entries, incoming)
        except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError) as error:
            raise UsageError("this is no ZIP file, or it is damaged") from error
        except (RuntimeError, NotImplementedError) as error:  # encrypted, or a rare method
            raise UsageError("this ZIP file is encrypted or packed in an odd way") from error
        except (ValueError, OSError) as error:
            raise UsageError("this ZIP file cannot be unpacked") from error
        config = saved.read_config(incoming)
        check(incoming)
        stem = ODD.sub("_", PurePosixPath(config.input_name.replace("\\", "/")).stem).strip("._-")
        folder = models / (stem[:40] or "opened")
        folder.mkdir(exist_ok=True)
        return _move(incoming, folder, ODD.sub("_", top).strip("._-")[:120] or "run")
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
        with contextlib.suppress(OSError):
            incoming.parent.rmdir()


def _looked_at(archive: zipfile.ZipFile) -> tuple[str, list[tuple[zipfile.ZipInfo, PurePosixPath]]]:
    """The name of the run, and its files with their places in it; UsageError if one is odd."""
    infos = archive.infolist()
    if len(infos) > MOST_FILES:
        raise UsageError(f"this ZIP file has more than {MOST_FILES} files")
    unpacked = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    if unpacked > MOST_BYTES or unpacked > FREE + MOST_RATIO * packed:
        raise UsageError("this ZIP file unpacks to more than a model can be")
    files: dict[PurePosixPath, zipfile.ZipInfo] = {}
    for info in infos:
        parts = info.filename.rstrip("/").split("/")
        if any(part in ADDED for part in parts):
            continue
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UsageError("this ZIP file has links in it; refused")
        if any(part.strip(". ") == "" or not NAME.fullmatch(part) for part in parts):
            raise UsageError("this ZIP file has names in it that lead elsewhere; refused")
        if info.is_dir():
            continue
        path = PurePosixPath(*parts)
        if path in files:
            raise UsageError("this ZIP file has a file in it twice; refused")
        files[path] = info
    tops = [path.parent for path in files if path.name == saved.CONFIG]
    top = min(tops, key=lambda path: len(path.parts), default=None)
    if top is None or len(top.parts) > 1:
        raise UsageError("there is no run directory in this ZIP file (no config.yaml)")
    inner = [(info, path) for path, info in files.items() if path.is_relative_to(top)]
    return top.name, [(info, path.relative_to(top)) for info, path in inner]


def _write(
    archive: zipfile.ZipFile, entries: list[tuple[zipfile.ZipInfo, PurePosixPath]], folder: Path
) -> None:
    """Unpack, counting bytes as they come."""
    left = MOST_BYTES
    for info, place in entries:
        if LEFT_OUT.fullmatch(place.name):
            continue
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(info) as source, path.open("xb") as target:
            while part := source.read(CHUNK):
                left -= len(part)
                if left < 0:
                    raise UsageError("this ZIP file unpacks to more than a model can be")
                target.write(part)


def _move(incoming: Path, folder: Path, name: str) -> Path:
    """Rename the folder to a free name."""
    for number in range(1, 1000):
        target = folder / (name if number == 1 else f"{name}_{number}")
        if not target.exists():
            with contextlib.suppress(OSError):
                incoming.rename(target)
                return target
    raise UsageError("there are too many models of this name")
