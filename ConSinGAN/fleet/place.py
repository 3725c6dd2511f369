"""Where a fleet's runs are kept: a folder that all machines see."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ConSinGAN import saved
from ConSinGAN.atomic import write_atomic
from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.fleet import lease

INNER = ".fleet"  # the folder's own things: who it is, leases, tracebacks
MARK = "id"


@dataclass(frozen=True)
class Place:
    """A folder of runs, each in a folder of its name.

    mark: a text that lies in the folder, by which a machine knows that it sees the right one.
    """

    folder: Path
    mark: str = ""

    @classmethod
    def prepare(cls, folder: Path, mark: str) -> Place:
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

    def blind(self) -> str | None:
        """What is wrong with this machine's view of the folder; None if it sees it."""
        with contextlib.suppress(OSError):
            if (self.folder / INNER / MARK).read_text() == self.mark:
                return None
        return (
            f"the machine {socket.gethostname()} does not see {self.folder}: mount it there, or "
            "name an `output_dir` that all machines see"
        )

    def run(self, name: str) -> Path:
        """The run directory of that name, whether it is there or not."""
        return self.folder / name

    def has(self, name: str) -> bool:
        """Whether there is a run of that name, finished or not."""
        return (self.run(name) / saved.CONFIG).is_file()

    @contextlib.contextmanager
    def working(self, name: str) -> Iterator[lease.Lease]:
        """Hold the lease on a run. Raises ConSinGANError if another process has it and keeps it."""
        try:
            with lease.hold(self.folder / INNER / "leases" / name) as held:
                yield held
        except lease.Taken as holder:
            raise ConSinGANError(f"{self.run(name)}: is being worked at by {holder}") from None

    @contextlib.contextmanager
    def driving(self, name: str = "driver") -> Iterator[lease.Lease]:
        """Hold the lease on the whole folder. Raises UsageError if another fleet works there.

        name: of the lease; work of different kinds can go on side by side.
        """
        try:
            with lease.hold(self.folder / INNER / name, seconds=1.5 * lease.EXPIRY) as held:
                yield held
        except lease.Taken as holder:
            raise UsageError(
                f"`output_dir` {self.folder}: another fleet is at work there, {holder}"
            ) from None

    def keep_traceback(self, name: str, text: str) -> None:
        """Write down what nobody expected, for a report of it."""
        path = self.folder / INNER / "tracebacks" / f"{name}.txt"
        with contextlib.suppress(OSError):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
