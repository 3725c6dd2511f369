"""What a run shows of itself."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import ROOT, files_below, make_config

from ConSinGAN import pace
from ConSinGAN.console import setup_logging
from ConSinGAN.watch import tensorboard, terminal
from ConSinGAN.watch.base import Moment, Watcher

LOSSES = {"real": torch.tensor(1.5), "fake": torch.tensor(float("nan"))}


@pytest.fixture
def package() -> Iterator[logging.Logger]:
    """The package's logger without handlers, put back afterwards."""
    logger = logging.getLogger("ConSinGAN")
    before = logger.handlers, logger.propagate, logger.level
    logger.handlers = []
    yield logger
    logger.handlers, logger.propagate = before[:2]
    logger.setLevel(before[2])


def watch(
    folder: Path, niter: int = 20, start: int = 0, stage: int = 0,
    kind: type[Watcher] = terminal.Terminal,
) -> None:  # fmt: skip
    config, model = make_config(niter=niter, train_stages=3), SimpleNamespace(sizes=[(12, 18)])
    watcher = kind()
    watcher.begin_stage(Moment(folder, folder, stage, start, config, model))
    for done in range(start + 1, niter + 1):
        watcher.iteration(Moment(folder, folder, stage, done, config, model), LOSSES)
    watcher.end_stage()


def test_without_a_terminal_a_few_plain_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")
    watch(tmp_path, niter=20)
    assert len(caplog.messages) == terminal.LINES_PER_STAGE
    assert caplog.messages[-1].startswith("stage 1/3 (18x12): 20/20, real 1.5, fake nan")
    assert capsys.readouterr().err == ""


def test_with_a_terminal_a_bar_and_no_lines(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    watch(tmp_path)
    assert caplog.messages == []
    shown = capsys.readouterr().err
    assert "stage 1/3 (18x12)" in shown
    assert "20/20" in shown


@pytest.mark.parametrize("niter", [1, 3, 7])
def test_the_last_iteration_is_always_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, niter: int
) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")
    watch(tmp_path, niter=niter)
    assert f"{niter}/{niter}" in caplog.messages[-1]


def test_a_stage_may_be_continued(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")
    watch(tmp_path, niter=20, start=15)
    assert [message.split(",")[0].split(": ")[1] for message in caplog.messages] == [
        "16/20",
        "20/20",
    ]


def test_quiet_below_info(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("ConSinGAN").setLevel(logging.WARNING)
    watch(tmp_path)
    assert capsys.readouterr() == ("", "")


def test_curves_are_written_for_tensorboard(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    watch(tmp_path, niter=500, kind=tensorboard.TensorBoard)
    assert files_below(tmp_path) == {"events"}
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert events.Tags()["scalars"] == ["loss/real", "loss/fake"]
    points = events.Scalars("loss/real")
    assert points[-1].step == 500
    assert {point.value for point in points} == {1.5}
    assert 100 <= len(points) <= 300


def test_without_tensorboard_there_is_one_line_and_no_curves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setattr(tensorboard, "_writer_class", cache(tensorboard._writer_class.__wrapped__))
    caplog.set_level(logging.INFO, "ConSinGAN")
    for stage in range(3):
        watch(tmp_path, stage=stage, kind=tensorboard.TensorBoard)
    assert sum("TensorBoard" in message for message in caplog.messages) == 1
    assert files_below(tmp_path) == set()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3661, "1:01:01")]
)
def test_clock(seconds: float, text: str) -> None:
    assert terminal._clock(seconds) == text


def test_messages_are_plain_lines_said_once(
    package: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    setup_logging()
    setup_logging()
    package.getChild("part").info("hello")
    assert capsys.readouterr() == ("", "hello\n")
    setup_logging(logging.WARNING)
    package.getChild("part").info("hello")
    assert capsys.readouterr().err == ""


# Other work on the machine --------------------------------------------------------------------


def factors(monkeypatch: pytest.MonkeyPatch, durations: list[float], shares: list[tuple]) -> list:
    """What `Pace` says of iterations that took so long, threads having waited and computed."""
    clock, found = 0.0, iter([(0.0, 0.0), *shares])
    monkeypatch.setattr(pace, "waited_and_computed", lambda: next(found, shares[-1]))
    watch, said = pace.Pace(lambda: clock), []
    for duration in durations:
        clock += duration
        said.append(watch.tick())
    return [factor for factor in said if factor is not None]


def test_pace_is_against_the_best_window(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = [(0.0, 0.0)]
    assert factors(monkeypatch, [1.0] * 10 + [3.0] * 4 + [1.0] * 10, nothing) == [1, 3, 1]
    assert factors(monkeypatch, [20.0] * 6, nothing) == [1, 1]  # never of fewer than three
    assert factors(monkeypatch, [1.0] * 9, nothing) == []


def test_pace_counts_threads_that_are_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    said = factors(monkeypatch, [1.0] * 20, [(15.0, 5.0), (15.0, 25.0)])
    assert said == [4, 1]


def test_a_busy_machine_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")
    monkeypatch.setattr(pace.Pace, "tick", lambda self: 3.21)
    watch(tmp_path)
    (line,) = [message for message in caplog.messages if "busy" in message]
    assert "3.2 times" in line
    assert "--threads" in line


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="Linux tells it")
def test_waiting_is_measured() -> None:
    """More spinning threads than may run at once keep each other waiting."""
    cores = os.sched_getaffinity(0)
    code = (
        "import os, threading, time, sys; sys.path.insert(0, sys.argv[1]);"
        "from ConSinGAN import pace; os.sched_setaffinity(0, {int(sys.argv[2])});"
        "pid = os.fork(); end = time.monotonic() + 1;\n"
        "while time.monotonic() < end: pass\n"
        "waited, computed = pace.waited_and_computed()\n"
        "if pid: os.waitpid(pid, 0); print(waited / computed)\n"
    )
    command = [sys.executable, "-c", code, str(ROOT), str(min(cores))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) > 0.4
