"""The copy of a run that an object store keeps, while the run is trained in a scratch folder.

Whatever moment the machine dies, the store holds a run that can be resumed, or none: what a
checkpoint presumes is put there before it, and config.yaml, without which there is no run, after
the first checkpoint. A finished run loses its checkpoint there when all else has come.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from ConSinGAN import saved
from ConSinGAN.errors import UsageError, describe
from ConSinGAN.fleet.store import ObjectStore, patiently

CHECKPOINT = "checkpoint.safetensors"  # the newest
CHECKPOINTS = "checkpoint*.safetensors"
LOOK = 0.5  # seconds between looks for a new checkpoint
PATIENCE = 60.0  # seconds for a store that fails while a run is read, or at its end
ATTEMPTS = 3  # at a listing whose objects are still there when they are read

Stamp = tuple[int, int, int]


def download(store: ObjectStore, name: str, path: Path) -> set[str]:
    """Write a run of the store into a folder that is not there yet; the names of its files.

    Without config.yaml there is no run: the answer is empty and no folder is made. Raises OSError
    if the store fails for longer than a moment, UsageError if a name leads out of the folder.
    """
    for attempt in range(ATTEMPTS):
        found = patiently(PATIENCE, lambda: store.sizes(name))
        if saved.CONFIG not in found:
            return set()
        names = {n: size for n, size in found.items() if not PurePosixPath(n).name.startswith(".")}
        try:
            for inner, size in names.items():
                _download_one(store, name, inner, path, size)
            return set(names)
        except FileNotFoundError:  # removed or replaced by who works there
            shutil.rmtree(path, ignore_errors=True)
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _download_one(store: ObjectStore, name: str, inner: str, path: Path, size: int) -> None:
    parts = inner.split("/")
    if "\\" in inner or not {"", "..", "."}.isdisjoint(parts):
        raise UsageError(f"{store.url}/{name}: holds {inner!a}, which is no file of a run; refused")
    target = path.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)

    def get() -> None:
        store.download(f"{name}/{inner}", target)
        if target.stat().st_size != size:
            raise OSError(f"{store.url}/{name}/{inner}: came in part, or was replaced meanwhile")

    patiently(PATIENCE, get)


class Copy:
    """Keeps the store's copy of one run up to date."""

    def __init__(
        self, store: ObjectStore, name: str, path: Path, known: set[str],
        may_write: Callable[[], bool], warn: Callable[[str], None],
    ) -> None:  # fmt: skip
        """path: of the run on this machine. known: its files that the store has, as they are."""
        self.store, self.name, self.path = store, name, path
        self.may_write, self.warn = may_write, warn
        self._stored = {inner: _stamp(path / inner) for inner in known}
        self._tried: Stamp | None = self._stored.get(CHECKPOINT)

    @contextlib.contextmanager
    def following(self) -> Iterator[None]:
        """Meanwhile put every new checkpoint into the store, in a thread; no failure ends it."""
        ended = threading.Event()

        def follow() -> None:
            while not ended.wait(LOOK):
                self._follow()

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _follow(self) -> None:
        try:
            newest = _stamp(self.path / CHECKPOINT)
        except OSError:  # none yet, or just being renamed
            return
        if newest == self._tried or not self.may_write():
            return
        self._tried = newest  # if this fails, the next checkpoint is the next try
        try:
            self.save()
        except OSError as error:
            self.warn(f"a checkpoint could not be stored: {describe(error)}")

    def save(self) -> None:
        """Put the newest checkpoint and what it presumes into the store. Raises OSError."""
        try:
            with (self.path / CHECKPOINT).open("rb") as file:
                stamp, data = _stamp_of(os.fstat(file.fileno())), file.read()
        except FileNotFoundError:  # none was written yet
            return
        self._store_others()
        if self._stored.get(CHECKPOINT) != stamp:
            self.store.write(f"{self.name}/{CHECKPOINT}", data)
            self._stored[CHECKPOINT] = stamp
        self._store_file(saved.CONFIG)

    def finish(self) -> None:
        """Put all of a finished run into the store; then its checkpoint is removed there."""
        self._store_others()
        self._store_file(saved.CONFIG)
        for inner in fnmatch.filter(list(self._stored), CHECKPOINTS):
            self.store.remove(f"{self.name}/{inner}")
            del self._stored[inner]

    def _store_others(self) -> None:
        """All but the checkpoints and config.yaml."""
        for folder, _, names in os.walk(self.path):
            for name in sorted(names):
                inner = (Path(folder) / name).relative_to(self.path).as_posix()
                special = inner == saved.CONFIG or fnmatch.fnmatchcase(inner, CHECKPOINTS)
                if not special and not name.startswith("."):
                    with contextlib.suppress(FileNotFoundError):  # is just being replaced
                        self._store_file(inner)

    def _store_file(self, inner: str) -> None:
        """Put a file there, unless it is as it was when it was put last."""
        with (self.path / inner).open("rb") as file:
            stamp = _stamp_of(os.fstat(file.fileno()))
            if self._stored.get(inner) == stamp:
                return
            data = file.read()
        self.store.write(f"{self.name}/{inner}", data)
        self._stored[inner] = stamp


def _stamp(path: Path) -> Stamp:
    return _stamp_of(path.stat())


def _stamp_of(status: os.stat_result) -> Stamp:
    return status.st_mtime_ns, status.st_size, status.st_ino
