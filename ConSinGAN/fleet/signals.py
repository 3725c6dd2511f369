"""Ctrl-C and its kin, for a fleet: the first stops it in order, the second at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ConSinGAN.watch.signals import Signals


@contextlib.contextmanager
def stop_signals() -> Iterator[Signals]:
    """Meanwhile signals are remembered; ask `should_stop`."""
    signals = Signals()
    signals.begin()
    try:
        yield signals
    finally:
        signals.end()
