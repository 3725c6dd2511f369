"""Which temporary files belong to whom: nobody is served, or may name, another guest's.

A guest is a browser, told from others by a cookie. A file becomes his when he uploads it, or when
the answer to one of his events names it. It goes when the answers to later ones have replaced it,
when he has left, or at the end of the program.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ANSWERS = 3  # of one event, whose files are kept
UPLOADS = 50  # of one guest, the newest
GRACE = 90.0  # seconds until a guest without an open page has left: he may be loading it anew
LONGEST = 24 * 3600.0  # seconds that a file which is nobody's is kept


@dataclass
class _Guest:
    uploads: deque[str] = field(default_factory=lambda: deque())
    answers: dict[Any, deque[frozenset[str]]] = field(default_factory=dict)  # by event
    pages: int = 0  # that are open
    seen: float = field(default_factory=time.monotonic)

    def files(self) -> set[str]:
        return {*self.uploads}.union(*(some for row in self.answers.values() for some in row))


class Addresses:
    """All guests and their files."""

    def __init__(self, folder: Path) -> None:
        """folder: where Gradio keeps uploads and what it shows."""
        self.folder = folder
        self._lock = threading.Lock()
        self._guests: dict[str, _Guest] = {}
        self._public: set[str] = set()

    def publish(self) -> None:
        """What is there now is part of the page, and everybody's."""
        self._public = {str(path) for path in self.folder.rglob("*") if path.is_file()}

    def holds(self, text: str) -> bool:
        """Whether a text names something in the folder, in whatever spelling."""
        path = os.path.normpath(os.path.abspath(text))  # noqa: PTH100 (no link is followed)
        return path == str(self.folder) or path.startswith(f"{self.folder}{os.sep}")

    def may_have(self, guest: str, path: str) -> bool:
        """Whether this file is a guest's, named exactly as he was told."""
        with self._lock:
            known = self._guests.get(guest)
            return path in self._public or (known is not None and path in known.files())

    def uploaded(self, guest: str, paths: Iterable[str]) -> None:
        """Files were uploaded."""
        with self._lock:
            known = self._known(guest)
            known.uploads.extend(paths)
            gone = {known.uploads.popleft() for _ in range(len(known.uploads) - UPLOADS)}
            self._remove(gone)

    def answered(self, guest: str, event: Any, paths: Iterable[str]) -> None:
        """The answer to an event names these files; event: which one, on which page."""
        told = frozenset(path for path in paths if self.holds(path))
        if not told:
            return
        with self._lock:
            row = self._known(guest).answers.setdefault(event, deque())
            if row and row[-1] == told:
                return
            row.append(told)
            gone = set(row.popleft()) if len(row) > ANSWERS else set()
            self._remove(gone)

    def opened(self, guest: str) -> None:
        """A page was opened."""
        with self._lock:
            self._known(guest).pages += 1

    def closed(self, guest: str) -> None:
        """A page was closed."""
        with self._lock:
            known = self._known(guest)
            known.pages -= 1

    def sweep(self) -> None:
        """Remove what guests who have left had, and what has been nobody's for long."""
        with self._lock:
            now = time.monotonic()
            left = [
                name for name, guest in self._guests.items()
                if guest.pages <= 0 and now - guest.seen > GRACE
            ]  # fmt: skip
            gone = set().union(*(self._guests.pop(name).files() for name in left), set())
            self._remove(gone)
            kept = self._public.union(*(guest.files() for guest in self._guests.values()))
            for path in [*self.folder.rglob("*")]:
                with contextlib.suppress(OSError):
                    old = time.time() - path.stat().st_mtime > LONGEST
                    if old and path.is_file() and str(path) not in kept:
                        path.unlink()

    def _known(self, name: str) -> _Guest:
        guest = self._guests.setdefault(name, _Guest())
        guest.seen = time.monotonic()
        return guest

    def _remove(self, paths: set[str]) -> None:
        """Remove files that nobody has any more."""
        paths = paths - self._public
        for guest in self._guests.values() if paths else ():
            paths = paths - guest.files()
        for path in paths:
            with contextlib.suppress(OSError):
                Path(path).unlink()
                Path(path).parent.rmdir()
