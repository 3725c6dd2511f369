"""Ctrl-C, kill and a closed terminal: finish the iteration, then stop in order."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from ConSinGAN.watch.base import Stop, Watcher


class Signals(Watcher):
    """During training, SIGINT, SIGTERM and SIGHUP are remembered and stop the run.

    A second one stops at once, unless it is a SIGHUP: of a closed terminal the system and the shell
    tell one each. SIGHUP stays ignored where it is (nohup). Outside the main thread nothing is
    caught.
    """

    HANGUP = getattr(signal, "SIGHUP", None)  # not on every system

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def begin(self) -> None:
        if threading.current_thread() is threading.main_thread():
            signals: list[int] = [signal.SIGINT, signal.SIGTERM]
            if self.HANGUP is not None and signal.getsignal(self.HANGUP) != signal.SIG_IGN:
                signals.append(self.HANGUP)
            self._before = {s: signal.signal(s, self._remember) for s in signals}

    def end(self) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def should_stop(self) -> Stop | None:
        if self.received is None:
            return None
        return Stop(signal.Signals(self.received).name, 128 + self.received)

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received = signum
        elif signum != self.HANGUP:
            raise KeyboardInterrupt
