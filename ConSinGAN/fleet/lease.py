"""Locks for folders that several machines share.

A file system across a network may know no `flock`, or keep it to one machine. So the one who works
says so in a file that comes into being whole (a hard link, which fails if the name is taken), and
goes on touching it. It counts as left behind when its process is gone (on the same machine: at
once) or when it has not been touched for EXPIRY seconds as the waiting one's own clock tells:
clocks of two machines are never compared.

If a holder was only asleep for so long, two work at the same run for a moment, until the sleeper
looks at the file. That costs time, not results: both do the same to the bit, and every file is
put in place whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

EXPIRY = 30.0  # seconds without a touch after which a holder on another machine counts as gone
TOUCH = 5.0  # seconds between touches
POLL = 0.2  # seconds between looks at a lease that another one holds


class Taken(Exception):
    """Somebody else holds the lease."""


class Held(Protocol):
    """A lease that one process holds, wherever it lies."""

    def is_mine(self) -> bool:
        """Whether it is still this one's; to be asked at least every EXPIRY seconds."""


class Lease:
    """What one process holds on a name. Make it with `acquire`."""

    def __init__(self, path: Path) -> None:
        self.path, self.token = path, secrets.token_hex(8)
        self._touched = time.monotonic()

    def is_mine(self) -> bool:
        """Whether the lease is still this one's; touches it if it is time."""
        found = _read(self.path)
        if found is None or found.get("token") != self.token:
            return False
        if time.monotonic() - self._touched >= TOUCH:
            with contextlib.suppress(OSError):
                os.utime(self.path)
            self._touched = time.monotonic()
        return True

    def release(self) -> None:
        """Give it back, if it is still this one's."""
        with contextlib.suppress(OSError):
            if self.is_mine():
                self.path.unlink()


@contextlib.contextmanager
def hold(path: Path, seconds: float = 2 * EXPIRY, expiry: float = EXPIRY) -> Iterator[Lease]:
    """Hold a lease; one that somebody holds is waited for. Raises Taken after so many seconds.

    `Lease.is_mine` must be asked at least every EXPIRY seconds: that is what keeps it.
    """
    lease = acquire(path, seconds, expiry)
    try:
        yield lease
    finally:
        lease.release()


def acquire(path: Path, seconds: float = 2 * EXPIRY, expiry: float = EXPIRY) -> Lease:
    """Take a lease. Raises Taken if somebody else has it for so many seconds, OSError as files do.

    expiry: seconds after which an untouched lease counts as left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lease, watch, start = Lease(path), _Watch(path, expiry), time.monotonic()
    while not _claim(lease):
        if watch.is_left_behind():
            _take_away(path, watch.token)
            continue
        if time.monotonic() - start >= seconds:
            raise Taken(watch.holder())
        time.sleep(POLL)
    return lease


class _Watch:
    """Looks at somebody else's lease until it counts as left behind."""

    def __init__(self, path: Path, expiry: float) -> None:
        self.path, self.expiry = path, expiry
        self.seen: tuple[Any, ...] | None = None
        self.since = time.monotonic()
        self.content: dict[str, Any] = {}

    @property
    def token(self) -> str | None:
        """That of the lease as it was seen last."""
        return self.content.get("token")

    def is_left_behind(self) -> bool:
        """Look; whether its process is gone or nobody has touched it for `expiry` seconds."""
        try:
            touched = self.path.stat().st_mtime_ns
        except FileNotFoundError:
            return False  # just given back: try again
        self.content = _read(self.path) or {}
        if (seen := (touched, self.token)) != self.seen:
            self.seen, self.since = seen, time.monotonic()
        return is_gone(self.content) or time.monotonic() - self.since >= self.expiry

    def holder(self) -> str:
        """Who has it, in words."""
        return holder(self.content)


def _claim(lease: Lease) -> bool:
    """Put the lease in place, whole, unless there is one."""
    me = who_i_am(lease.token)
    mine = lease.path.with_name(f".{lease.token}.tmp")
    try:
        mine.write_text(json.dumps(me))
        try:
            os.link(mine, lease.path)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            return _claim_without_links(lease.path, json.dumps(me))
        return True
    finally:
        mine.unlink(missing_ok=True)


def _claim_without_links(path: Path, text: str) -> bool:
    try:
        with path.open("x") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _take_away(path: Path, token: str | None) -> None:
    """Remove a lease that was left behind, unless somebody did so before and has a new one."""
    aside = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    if (_read(aside) or {}).get("token") != token:  # a new one: put it back
        with contextlib.suppress(OSError):
            os.link(aside, path)
    aside.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def who_i_am(token: str) -> dict[str, Any]:
    """What a lease of this process says."""
    me: dict[str, Any] = {"token": token, "host": socket.gethostname(), "boot": _boot()}
    return me | {"pid": os.getpid(), "started": _started(os.getpid())}


def holder(content: dict[str, Any]) -> str:
    """Who has a lease, in words."""
    return f"process {content.get('pid', '?')} on {content.get('host', '?')}"


def is_gone(content: dict[str, Any]) -> bool:
    """Whether the holder was a process of this machine that is not there any more."""
    if content.get("host") != socket.gethostname() or content.get("boot") != _boot():
        return False
    try:
        pid = int(content["pid"])
    except (KeyError, TypeError, ValueError):
        return False
    started = _started(pid)
    if started is None:
        return not _exists(pid)
    return started != content.get("started")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _boot() -> str:
    """Tells this machine's run from others, containers with the same name among them."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """When a process began, in the kernel's ticks: tells it from a later one of that number."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else rest[18]  # a zombie holds nothing
