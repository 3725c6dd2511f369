"""Does the machine have time for us? Iterations against what they would take without other work."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

WINDOW = 10.0  # seconds that are looked at together
LEAST = 3  # iterations, likewise
BUSY = 1.8  # times as long as alone: worth a word


def waited_and_computed() -> tuple[float, float]:
    """Seconds that this process's threads waited for a core, and computed; of living threads.

    From Linux's /proc/<pid>/task/<thread>/schedstat; zeros elsewhere.
    """
    waited = computed = 0
    for stat in Path("/proc/self/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, ValueError):  # a thread that has ended meanwhile
            ran, delayed, _ = map(int, stat.read_text().split())
            computed, waited = computed + ran, waited + delayed
    return waited / 1e9, computed / 1e9


class Pace:
    """Watches one stage's iterations."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._best = float("inf")  # seconds of an iteration, in the best window so far
        self._begin()

    def _begin(self) -> None:
        self._started, self._done, self._shares = self._clock(), 0, waited_and_computed()

    def tick(self) -> float | None:
        """Count an iteration; at a window's end: how many times as long as alone they take.

        That is the larger of two numbers: against the best window of this stage, and by the time
        that our threads, ready to run, were kept waiting.
        """
        self._done += 1
        elapsed = self._clock() - self._started
        if elapsed < WINDOW or self._done < LEAST:
            return None
        each, before = elapsed / self._done, self._shares
        self._begin()
        waited, computed = (max(b - a, 0) for a, b in zip(before, self._shares, strict=True))
        self._best = min(self._best, each)
        return max(each / self._best, (waited + computed) / computed if computed else 1)
