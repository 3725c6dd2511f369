"""What running work tells the fleet, and how it hears that it shall stop.

The board is a Ray actor beside the driver: every piece of work calls at it about once a second,
and the driver looks at it. If its process dies, Ray makes another one, which soon knows as much. A
reporter is the work's end of that line.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ConSinGAN.fleet.lease import Held

BEAT = 1.0  # seconds between two calls of one piece of work
PATIENCE = 60.0  # seconds without an answer after which the board, and so the driver, is gone


class Board:
    """What is known of all that runs in this moment, by name."""

    def __init__(self) -> None:
        self._facts: dict[str, dict[str, Any]] = {}
        self._stop = False

    def beat(self, name: str, facts: Mapping[str, Any]) -> bool:
        """Somebody who works at `name` tells how far; the answer: shall he stop?"""
        self._facts[name] = dict(facts)
        return self._stop

    def look(self, ended: list[str], stop: bool) -> dict[str, dict[str, Any]]:
        """What all tell; first forget those that have ended. stop: shall all stop?"""
        self._stop = stop
        for name in ended:
            self._facts.pop(name, None)
        return self._facts

    def last(self, name: str) -> dict[str, Any]:
        """What one told last."""
        return self._facts.get(name, {})


class Reporter:
    """Calls at the board for one piece of work, in a thread of its own, and keeps its lease."""

    def __init__(self, board: Any, name: str) -> None:
        """board: the actor's handle."""
        self._board, self._name = board, name
        self.facts: dict[str, Any] = {}
        self._leases: list[Held] = []
        self._ended = threading.Event()
        self.should_stop: str | None = None  # why

    def say(self, **facts: Any) -> None:
        """What shall be told at the next call: plain values."""
        self.facts = {**self.facts, **facts}

    @contextlib.contextmanager
    def keeping(self, lease: Held) -> Iterator[None]:
        """Look after a lease meanwhile; if it is lost, the work shall stop."""
        self._leases.append(lease)
        try:
            yield
        finally:
            self._leases.remove(lease)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Around the work."""
        caller = threading.Thread(target=self._call, daemon=True)
        caller.start()
        try:
            yield
        finally:
            self._ended.set()
            caller.join(PATIENCE)

    def _call(self) -> None:
        import ray

        answered = time.monotonic()
        while True:
            try:
                if ray.get(self._board.beat.remote(self._name, self.facts), timeout=PATIENCE):
                    self.should_stop = "the fleet was stopped"
                answered = time.monotonic()
            except Exception:  # out of reach, or on its way to another process
                if time.monotonic() - answered > PATIENCE:
                    self.should_stop = "the fleet's driver is gone"
            if not all(lease.is_mine() for lease in [*self._leases]):
                self.should_stop = "another process has taken the run over"
            if self._ended.wait(BEAT):
                return
