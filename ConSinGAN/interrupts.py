"""Ctrl-C, kill and a closed terminal: finish the iteration, then stop in order."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import ClassVar

from ConSinGAN.errors import ConSinGANError


class Interrupted(ConSinGANError):
    """Training was stopped by a signal; what was done is saved."""

    prefix: ClassVar[str] = ""  # it is what was asked for

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signum


class Interrupts:
    """While active, SIGINT, SIGTERM and SIGHUP are remembered in `received`.

    A second one stops at once, unless it is a SIGHUP: of a closed terminal the system and the shell
    tell one each. SIGHUP stays ignored where it is (nohup). Use as a context manager; outside the
    main thread nothing is caught.
    """

    HANGUP = getattr(signal, "SIGHUP", None)  # not on every system

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            signals = [signal.SIGINT, signal.SIGTERM]
            if self.HANGUP is not None and signal.getsignal(self.HANGUP) != signal.SIG_IGN:
                signals.append(self.HANGUP)
            self._before = {s: signal.signal(s, self._remember) for s in signals}
        return self

    def __exit__(self, *exception: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received = signum
        elif signum != self.HANGUP:
            raise KeyboardInterrupt
