"""Where a fleet's runs are kept: what a place can do, and the folder that all machines see."""

from __future__ import annotations

import contextlib
import shutil
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ConSinGAN import saved
from ConSinGAN.atomic import write_atomic
from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.fleet import lease

INNER = ".fleet"  # the place's own things: who it is, leases, tracebacks
MARK = "id"


class Place(ABC):
    """Runs, each under its name, and what else a fleet writes down beside them.

    An object of this class goes to the machines that work: it holds plain values.
    """

    mark: str  # a text that lies in the place, by which a machine knows that it sees the right one

    @property
    @abstractmethod
    def address(self) -> str:
        """What a user types to name the place."""

    @abstractmethod
    def blind(self) -> str | None:
        """What is wrong with this machine's view of the place; None if it sees it."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The content of a file. Raises FileNotFoundError if there is none, OSError."""

    @abstractmethod
    def write(self, name: str, data: bytes, durable: bool = True) -> None:
        """Put a file in place, whole. Raises OSError."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Whether there is a run of that name, finished or not."""

    @abstractmethod
    def fetch(self, name: str) -> Path:
        """A run, on this machine, to be read; `discard` it afterwards. Raises OSError."""

    @abstractmethod
    def discard(self, path: Path) -> None:
        """What `fetch` gave is not needed any more."""

    @abstractmethod
    def at_hand(
        self, name: str, held: lease.Held, warn: Callable[[str], None]
    ) -> contextlib.AbstractContextManager[Path]:
        """A run directory to train in, whether there is a run or not; the place keeps what is made.

        held: the lease on the run. warn: is told what goes wrong and ends nothing. Raises
        ConSinGANError if the place does not take the run in the end.
        """

    @abstractmethod
    def holding(self, name: str, driving: bool) -> contextlib.AbstractContextManager[lease.Held]:
        """Hold the lease of that name. driving: on the whole place. Raises lease.Taken."""

    @contextlib.contextmanager
    def working(self, name: str) -> Iterator[lease.Held]:
        """Hold the lease on a run. Raises ConSinGANError if another process has it and keeps it."""
        try:
            with self.holding(f"leases/{name}", driving=False) as held:
                yield held
        except lease.Taken as holder:
            raise ConSinGANError(f"{self.spell(name)}: is being worked at by {holder}") from None

    @contextlib.contextmanager
    def driving(self, name: str = "driver") -> Iterator[lease.Held]:
        """Hold the lease on the whole place. Raises UsageError if another fleet works there.

        name: of the lease; work of different kinds can go on side by side.
        """
        try:
            with self.holding(name, driving=True) as held:
                yield held
        except lease.Taken as holder:
            raise UsageError(
                f"`output_dir` {self.address}: another fleet is at work there, {holder}"
            ) from None

    @abstractmethod
    def sweep_leftovers(self) -> None:
        """Remove what runs that were killed while they were made have left; nobody may be at work.

        What that leaves on other machines is removed when they are at work again.
        """

    def spell(self, name: str) -> str:
        """What a user types to name something in the place."""
        return f"{self.address}/{name}"

    def keep_traceback(self, name: str, text: str) -> None:
        """Write down what nobody expected, for a report of it."""
        with contextlib.suppress(OSError):
            self.write(f"{INNER}/tracebacks/{name}.txt", text.encode(), durable=False)


@dataclass(frozen=True)
class FolderPlace(Place):
    """A folder of runs, each in a folder of its name."""

    folder: Path
    mark: str = ""

    @classmethod
    def prepare(cls, folder: Path, mark: str) -> FolderPlace:
        """Make the folder; keeps the mark that it has. Raises UsageError if it cannot be made."""
        folder = folder.expanduser().absolute()
        path = folder / INNER / MARK
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                write_atomic(path, mark.encode(), durable=False)
            return cls(folder, path.read_text())
        except OSError as error:
            raise UsageError(f"`output_dir` {folder}: cannot be used: {error.strerror}") from error

    @property
    def address(self) -> str:
        return str(self.folder)

    def blind(self) -> str | None:
        with contextlib.suppress(OSError):
            if (self.folder / INNER / MARK).read_text() == self.mark:
                return None
        return (
            f"the machine {socket.gethostname()} does not see {self.folder}: mount it there, or "
            "name an `output_dir` that all machines see"
        )

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def write(self, name: str, data: bytes, durable: bool = True) -> None:
        (self.folder / name).parent.mkdir(exist_ok=True)
        write_atomic(self.folder / name, data, durable=durable)

    def run(self, name: str) -> Path:
        """The run directory of that name, whether it is there or not."""
        return self.folder / name

    def has(self, name: str) -> bool:
        return (self.run(name) / saved.CONFIG).is_file()

    def fetch(self, name: str) -> Path:
        return self.run(name)

    def discard(self, path: Path) -> None:
        """Nothing was copied."""

    @contextlib.contextmanager
    def at_hand(self, name: str, held: lease.Held, warn: Callable[[str], None]) -> Iterator[Path]:
        yield self.run(name)

    def holding(self, name: str, driving: bool) -> contextlib.AbstractContextManager[lease.Held]:
        seconds = (1.5 if driving else 2) * lease.EXPIRY
        return lease.hold(self.folder / INNER / name, seconds)

    def sweep_leftovers(self) -> None:
        for path in self.folder.glob(".*"):
            name = path.name[1:]
            if len(name) == 16 and set(name) <= set("0123456789abcdef") and path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
