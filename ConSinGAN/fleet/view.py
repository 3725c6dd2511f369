"""All of a fleet at a glance: a block of lines on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import time
from typing import Any

from tqdm import tqdm

from ConSinGAN import console

log = logging.getLogger(__name__)

ROWS = 12  # of what runs, on a terminal
NAMED = 4  # of what runs, in a plain line
WIDTH = 20  # characters of a name
TOTAL = "{desc} |{bar}| {elapsed}, {remaining} left"
ROW = "  {desc} |{bar}| {postfix}"


class View:
    """Shows how far a fleet is. Use as a context manager."""

    def __init__(self, what: str, total: int, done: int, failed: int = 0) -> None:
        """what: is being done; done, failed: how many of the total are so already."""
        self.what, self.total, self.done, self.failed = what, total, done, failed
        self.terminal = console.shows_progress()
        self._screen = console.Stderr()  # one for all, by which tqdm knows that they share it
        self._start, self._began_with = time.monotonic(), done
        self._said = time.monotonic()
        self._rows: list[tqdm] = []

    def __enter__(self) -> View:
        self._bar = self._line(0, TOTAL, total=self.total, initial=self.done)
        return self

    def __exit__(self, *exception: object) -> None:
        for row in reversed(self._rows):
            row.close()
        self._bar.close()

    def _line(self, position: int, form: str, **values: Any) -> tqdm:
        return tqdm(
            disable=not self.terminal, position=position, bar_format=form, leave=position == 0,
            dynamic_ncols=True, file=self._screen, **values,
        )  # fmt: skip

    def ended(self, name: str, state: str, why: str) -> None:
        """One has ended."""
        self.done += state == "done"
        self.failed += state == "failed"
        if state == "failed":
            self._say(f"failed: {name}: {why}")
        elif state == "done" and not self.terminal:
            log.info("done: %s (%d/%d)", name, self.done, self.total)

    def _say(self, text: str) -> None:
        if self.terminal:
            tqdm.write(text, file=self._screen)
        else:
            log.warning("%s", text)

    def update(self, running: dict[str, dict[str, Any]]) -> None:
        """Show what runs and how far it is."""
        if self.terminal:
            self._draw(running)
        elif time.monotonic() - self._said >= console.LINE_SECONDS:
            self._said = time.monotonic()
            log.info("%s", self.line(running))

    def _draw(self, running: dict[str, dict[str, Any]]) -> None:
        shown = sorted(running.items(), key=lambda item: -item[1].get("fraction", 0))[:ROWS]
        while len(self._rows) < len(shown):
            self._rows.append(self._line(len(self._rows) + 1, ROW, total=1.0))
        empty: list[tuple[str, dict[str, Any]]] = [("", {})]
        rows = shown + empty * (len(self._rows) - len(shown))
        for row, (name, facts) in zip(self._rows, rows, strict=True):
            row.n = facts.get("fraction", 0)
            row.set_description_str(f"{_short(name):{WIDTH}}", refresh=False)
            row.set_postfix_str(_facts(facts) if name else "", refresh=True)
        more = len(running) - len(shown)
        self._bar.n = (
            self.done + self.failed + sum(facts.get("fraction", 0) for facts in running.values())
        )
        text = f"{self.what}: {self.done} done, {self.failed} failed, {len(running)} running"
        self._bar.set_description_str(f"{text} ({more} not shown)" if more else text)

    def line(self, running: dict[str, dict[str, Any]]) -> str:
        """All of it in one line."""
        text = f"{self.what}: {self.done}/{self.total} done, {self.failed} failed"
        parts = [f"{name} {_facts(facts)}".strip() for name, facts in running.items()]
        if len(parts) > NAMED:
            parts = [*parts[:NAMED], f"and {len(parts) - NAMED} more"]
        text += f"; running: {'; '.join(parts)}" if parts else ""
        under_way = sum(facts.get("fraction", 0) for facts in running.values())
        came = self.done - self._began_with + under_way
        if came > 0:
            rest = self.total - self.done - self.failed - under_way
            text += f"; about {clock((time.monotonic() - self._start) / came * rest)} left"
        return text


def _short(name: str) -> str:
    return name if len(name) <= WIDTH else f"{name[: WIDTH - 1]}…"


def _facts(facts: dict[str, Any]) -> str:
    left = facts.get("left")
    return facts.get("where", "") + ("" if left is None else f", {clock(left)} left")


def clock(seconds: float) -> str:
    """Seconds as people read them: 4:05, 1:02:03."""
    minutes, seconds = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
