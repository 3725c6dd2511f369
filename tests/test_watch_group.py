"""All watchers of a run together: one that fails, and those beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ConSinGAN.watch.base import Stop, Watcher
from ConSinGAN.watch.group import Watchers


@dataclass
class Nervous(Watcher):
    """Equal to others of its kind; fails at whatever it is told to fail at."""

    fails: tuple[str, ...] = ()
    error: Exception = field(default=RuntimeError("no\nmore"), compare=False)
    heard: list[str] = field(default_factory=list, compare=False)

    def _hear(self, what: str) -> None:
        self.heard.append(what)
        if what in self.fails:
            raise self.error

    def iteration(self, *_: object) -> None:
        self._hear("iteration")

    def preview(self, *_: object) -> None:
        self._hear("preview")

    def should_stop(self) -> Stop | None:
        self._hear("should_stop")
        return None


class Previewing(Watcher):
    """Announces a preview from within an iteration, as `Previews` does."""

    def __init__(self) -> None:
        self.watching: Watchers | None = None

    def iteration(self, *_: object) -> None:
        self.watching.preview(None, [])


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without the watchers that every run has."""
    for name in ("Signals", "Terminal", "TensorBoard"):
        monkeypatch.setattr(f"ConSinGAN.watch.group.{name}", Watcher)
    monkeypatch.setattr("ConSinGAN.watch.group.Previews", lambda announce: Watcher())
    yield


def test_one_that_fails_at_a_preview_is_not_called_for_that_iteration(
    quiet: None, caplog: pytest.LogCaptureFixture
) -> None:
    previewing, nervous = Previewing(), Nervous(("preview", "iteration"))
    previewing.watching = watching = Watchers([previewing, nervous])
    for _ in range(2):
        watching.iteration(None, {})
    assert nervous.heard == ["preview"]
    assert caplog.messages == ["Nervous failed and is left out: no"]


def test_an_equal_one_stays(quiet: None) -> None:
    calm, nervous = Nervous(("should_stop",)), Nervous(("should_stop",))
    calm.should_stop = lambda: None  # type: ignore[method-assign]
    assert calm == nervous
    watching = Watchers([calm, nervous])
    for _ in range(2):
        assert watching.should_stop() is None
        watching.iteration(None, {})
    assert calm.heard == ["iteration", "iteration"]
    assert nervous.heard == ["should_stop"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError(), "ValueError"),
        (ValueError("one\ntwo"), "one"),
        (OSError(28, "No space left on device", "a.png"), "a.png: No space left on device"),
    ],
    ids=repr,
)
def test_every_error_has_words(
    error: Exception, said: str, quiet: None, caplog: pytest.LogCaptureFixture
) -> None:
    Watchers([Nervous(("iteration",), error)]).iteration(None, {})
    assert caplog.messages == [f"Nervous failed and is left out: {said}"]


def test_a_second_signal_is_no_failure(quiet: None) -> None:
    class Impatient(Watcher):
        def iteration(self, *_: object) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Watchers([Impatient()]).iteration(None, {})


def test_a_reason_may_be_a_text(quiet: None, tmp_path: Path) -> None:
    class Asking(Watcher):
        def should_stop(self) -> Stop | None:
            return "lunch"  # type: ignore[return-value]

    assert Watchers([Asking()]).should_stop() == Stop("lunch", 1)
