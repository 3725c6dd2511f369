"""Watchers: who looks at a run from outside, and may stop it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from conftest import TINY, write_picture
from torch import Tensor

import ConSinGAN
from ConSinGAN.watch.base import Moment, Stop, StopButton, Stopped, Watcher


@pytest.fixture
def options(tmp_path: Path) -> dict:
    picture = write_picture(tmp_path / "picture.png")
    return {**TINY, "input_name": picture, "output_dir": tmp_path / "runs", "threads": 1}


class Recorder(Watcher):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple] = []

    def begin(self) -> None:
        self.told.append(("begin",))

    def begin_stage(self, moment: Moment) -> None:
        self.told.append(("stage", moment.stage))

    def iteration(self, moment: Moment, terms: Mapping[str, Tensor]) -> None:
        assert {"real", "fake", "penalty", "adversarial", "reconstruction"} == set(terms)
        assert all(value.isfinite() for value in terms.values())
        self.told.append(("iteration", moment.stage, moment.done))

    def preview(self, moment: Moment, files: Sequence[Path]) -> None:
        assert files
        assert all(file.is_file() and file.parent == moment.folder for file in files)
        self.told.append(("preview", moment.stage, moment.done))

    def end_stage(self) -> None:
        self.told.append(("stage ends",))

    def end(self) -> None:
        self.told.append(("end",))


def test_everything_is_reported_in_order(options: dict) -> None:
    recorder = Recorder()
    ConSinGAN.train(**options, watchers=[recorder])
    stages = [
        [("stage", s), ("iteration", s, 1), ("preview", s, 2), ("iteration", s, 2),
         ("stage ends",)]
        for s in (0, 1)
    ]  # fmt: skip
    assert recorder.told == [("begin",), *stages[0], *stages[1], ("end",)]


def weights(run: Path) -> list[bytes]:
    return [(run / "1" / name).read_bytes() for name in ("netG.safetensors", "netD.safetensors")]


def test_a_run_is_stopped_from_another_thread_and_goes_on(options: dict, tmp_path: Path) -> None:
    options["niter"] = 40
    undisturbed = ConSinGAN.train(**options | {"output_dir": tmp_path / "undisturbed"})
    button, reached = StopButton(), threading.Event()

    class Signal(Watcher):
        def iteration(self, moment: Moment, terms: Mapping[str, Tensor]) -> None:
            if (moment.stage, moment.done) == (1, 5):
                reached.set()
                time.sleep(0.2)  # in which the other thread presses

    threading.Thread(target=lambda: (reached.wait(), button.press()), daemon=True).start()
    with pytest.raises(Stopped, match=r"stage 2.*--resume") as stopped:
        ConSinGAN.train(**options, watchers=[Signal(), button])
    assert stopped.value.reason == "the stop button"
    (run,) = (tmp_path / "runs" / "picture").iterdir()
    assert (run / "checkpoint.safetensors").is_file()
    recorder = Recorder()
    assert ConSinGAN.resume(run, watchers=[recorder]) == run
    assert 5 < recorder.told[2][2] < 40  # went on in the middle of the second stage
    assert weights(run) == weights(undisturbed)


def test_the_reason_to_stop_may_be_anything(options: dict) -> None:
    class Impatient(Watcher):
        def should_stop(self) -> Stop | None:
            return Stop("impatience", 7)

    with pytest.raises(Stopped) as stopped:
        ConSinGAN.train(**options, watchers=[Impatient()])
    assert (stopped.value.reason, stopped.value.exit_code) == ("impatience", 7)


@pytest.mark.parametrize("hook", ["begin", "begin_stage", "iteration", "should_stop", "end_stage"])
def test_a_watcher_that_fails_costs_a_line(
    hook: str, options: dict, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("it broke\nin the middle")

    class Broken(Watcher):
        pass

    monkeypatch.setattr(Broken, hook, fail)
    recorder = Recorder()
    run = ConSinGAN.train(**options, watchers=[Broken(), recorder])
    assert (run / "sample_sheet.png").is_file()
    assert recorder.told[-1] == ("end",)
    lines = [message for message in caplog.messages if "Broken" in message]
    assert lines == ["Broken failed and is left out: it broke"]


def test_two_trainings_at_once_keep_their_logs_apart(
    options: dict, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")
    together, runs = threading.Barrier(2, timeout=60), {}

    class Meet(Watcher):
        def iteration(self, moment: Moment, terms: Mapping[str, Tensor]) -> None:
            together.wait()  # both are in the middle of their loops

    def work(name: str, niter: int) -> None:
        flags = options | {"output_dir": tmp_path / name, "niter": niter}
        runs[name] = ConSinGAN.train(**flags, watchers=[Meet()])

    threads = [threading.Thread(target=work, args=(name, 4)) for name in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    for name, stranger in (("one", "other"), ("other", "one")):
        log = (runs[name] / "run.log").read_text()
        assert str(runs[name]) in log
        assert str(runs[stranger]) not in log
        assert log.count("stage 2/2") == 4  # its own lines, once
    assert weights(runs["one"]) == weights(runs["other"])


def test_runs_work_off_the_main_thread(options: dict) -> None:
    runs: list[Path] = []
    thread = threading.Thread(target=lambda: runs.append(ConSinGAN.train(**options)))
    thread.start()
    thread.join(60)
    assert (runs[0] / "sample_sheet.png").is_file()
