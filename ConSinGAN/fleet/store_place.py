"""An object store as the place of a fleet's runs; they are trained in scratch folders."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from ConSinGAN import lock, saved
from ConSinGAN.errors import ConSinGANError, UsageError, describe
from ConSinGAN.fleet import lease, store, store_lease
from ConSinGAN.fleet.place import INNER, MARK, Place
from ConSinGAN.fleet.store import patiently
from ConSinGAN.fleet.store_copy import PATIENCE, Copy, download

FETCHED = "fetched"  # the beginning of a folder's name; a run's own begins with the run's
KEPT = ".kept"  # a file in a scratch folder that holds what could not be stored
MARK_NAME = f"{INNER}/{MARK}"
ANSWER = 20.0  # seconds in which a store must answer at the start

Answer = TypeVar("Answer")


class Kept(ConSinGANError):
    """A run could not be stored; its scratch folder stays."""


@dataclass(frozen=True)
class StorePlace(Place):
    """Runs below a URL of an object store.

    scratch: the folder on every machine in which runs are while they are trained; None: where the
    system keeps temporary files.
    """

    url: str
    mark: str = ""
    scratch: str | None = None

    @classmethod
    def at(cls, where: str | Path, scratch: str | None = None) -> StorePlace:
        """That of a URL; nobody is asked yet. Raises UsageError if it can be no store."""
        url = str(where).rstrip("/")
        store.check(url)
        # On this machine's terms, in whatever folder the others' processes are.
        return cls(url, scratch=scratch and str(Path(scratch).expanduser().absolute()))

    def find_mark(self) -> str | None:
        """The mark that lies there. Raises UsageError if the store does not answer."""

        def find() -> str | None:
            with contextlib.suppress(FileNotFoundError):
                return self._store.read(MARK_NAME).decode()
            return None

        return self._at_start(find)

    def prepare(self, mark: str) -> StorePlace:
        """Put the mark there; keeps the one that is.

        Raises UsageError if the store does not answer or takes nothing.
        """

        def put() -> str:
            self._store.write(MARK_NAME, mark.encode())
            return self._store.read(MARK_NAME).decode()

        return replace(self, mark=self.find_mark() or self._at_start(put))

    def _at_start(self, ask: Callable[[], Answer]) -> Answer:
        """Ask the store, but not for long. Raises UsageError, naming the flag."""
        try:
            return store.within(ANSWER, ask, self.url)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"`output_dir` {self.url}: cannot be used: {reason}") from error

    @property
    def _store(self) -> store.ObjectStore:
        return store.ObjectStore(self.url)

    @property
    def address(self) -> str:
        return self.url

    def blind(self) -> str | None:
        here = f"the machine {socket.gethostname()}"
        try:
            store.check(self.url)
            mark = patiently(PATIENCE, lambda: self._store.read(MARK_NAME))
        except UsageError as error:
            return f"{here}: {error.marked}"
        except OSError as error:
            return f"{here} does not reach {self.url} ({error.strerror})"
        if mark.decode("utf-8", "replace") == self.mark:
            return None
        return f"{here} sees another store at {self.url}: its endpoint may be another one"

    def read(self, name: str) -> bytes:
        return patiently(PATIENCE, lambda: self._store.read(name))

    def write(self, name: str, data: bytes, durable: bool = True) -> None:
        patiently(PATIENCE if durable else 0, lambda: self._store.write(name, data))

    def has(self, name: str) -> bool:
        return patiently(PATIENCE, lambda: self._store.has(f"{name}/{saved.CONFIG}"))

    def fetch(self, name: str) -> Path:
        folder = self._make_scratch(FETCHED)
        try:
            if not download(self._store, name, folder / name):
                raise UsageError(f"{self.spell(name)}: there is no run")
        except BaseException:
            _remove(folder)
            raise
        return folder / name

    def discard(self, path: Path) -> None:
        _remove(path.parent)

    @contextlib.contextmanager
    def at_hand(self, name: str, held: lease.Held, warn: Callable[[str], None]) -> Iterator[Path]:
        self._remove_leftovers(name)
        folder = self._make_scratch(name)
        path = folder / name
        try:
            with lock.hold(folder):
                known = download(self._store, name, path)
                copy = Copy(self._store, name, path, known, held.is_mine, warn)
                try:
                    with copy.following():
                        yield path
                except BaseException as error:
                    if held.is_mine():
                        _keep_if_not(copy.save, path, f"stopped ({error})")
                    told = _for_users(error, path, self.spell(name))
                    if told is not None:
                        raise told from error
                    raise
                _keep_if_not(copy.finish, path, "trained")
        except Kept:
            raise
        except BaseException:
            _remove(folder)
            raise
        _remove(folder)

    def holding(self, name: str, driving: bool) -> contextlib.AbstractContextManager[lease.Held]:
        return store_lease.hold(self._store, f"{INNER}/{name}")

    def sweep_leftovers(self) -> None:
        """A run that is not whole is not there; scratch folders go when their run is begun anew."""

    # Scratch folders --------------------------------------------------------------------------

    @property
    def _root(self) -> Path:
        """Where this machine keeps this place's runs in progress."""
        base = Path(self.scratch or tempfile.gettempdir())
        which = hashlib.sha256(f"{self.url} {self.mark}".encode()).hexdigest()[:16]
        return base / f"fleet-{which}-{socket.gethostname()}"

    def _make_scratch(self, name: str) -> Path:
        """A folder for one attempt at a run, or one look at it; the run is `name` in it."""
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=f"{name}.", dir=self._root))
        except OSError as error:
            raise ConSinGANError(
                f"`scratch` {self._root.parent}: cannot be used: {describe(error)}"
            ) from error

    def _remove_leftovers(self, name: str) -> None:
        """Remove scratch folders of the run that a killed process has left; we hold its lease."""
        for folder in self._root.glob("*") if self._root.is_dir() else ():
            stem, _, end = folder.name.rpartition(".")
            ours = stem == name and len(end) == 8 and not (folder / KEPT).exists()
            if ours and not lock.is_held(folder):
                _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a scratch folder, and the one of all scratch folders if that was the last."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()


def _keep_if_not(store_it: Callable[[], None], path: Path, state: str) -> None:
    """Store a run, or raise Kept that says where it is."""
    try:
        patiently(PATIENCE, store_it)
    except OSError as error:
        with contextlib.suppress(OSError):
            (path.parent / KEPT).touch()
        raise Kept(
            f"{state}, but could not be stored: {describe(error)}; it is kept in {path} on "
            f"{socket.gethostname()}"
        ) from error


def _for_users(error: BaseException, path: Path, address: str) -> ConSinGANError | None:
    """An error that names the run by its address, instead of one that names the scratch folder."""
    cause = error.__cause__
    if isinstance(cause, OSError) and str(path.parent) in describe(cause):
        return ConSinGANError(f"`scratch`: {describe(cause)}; the same command goes on")
    if isinstance(error, ConSinGANError) and str(path) in error.marked:
        return ConSinGANError(error.marked.replace(str(path), address))
    return None
