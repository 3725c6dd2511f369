"""Ctrl-C and kill: finish the iteration, then stop in order."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from ConSinGAN.errors import ConSinGANError


class Interrupted(ConSinGANError):
    """Training was stopped by a signal; what was done is saved."""

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signum


class Interrupts:
    """While active, SIGINT and SIGTERM are remembered in `received`; a second one stops at once.

    Use as a context manager. Outside the main thread nothing is caught.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = {s: signal.signal(s, self._remember) for s in self.SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signum
