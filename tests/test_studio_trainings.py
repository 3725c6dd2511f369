"""The queue of trainings: one at a time, stopped, gone on with, and found again after a kill."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, TINY, write_picture
from studio_helpers import wait_for

import ConSinGAN
from ConSinGAN import lock
from ConSinGAN.errors import UsageError
from ConSinGAN.run import RunDirectory
from ConSinGAN.studio import jobs
from ConSinGAN.studio.jobs import DONE, FAILED, INTERRUPTED, RUNNING, STOPPED, WAITING
from ConSinGAN.studio.training_view import place
from ConSinGAN.studio.trainings import Trainings

LONG = 100_000  # iterations: it does not end before it is stopped


@pytest.fixture
def trainings(tmp_path: Path) -> Iterator[Trainings]:
    with Trainings(tmp_path / "models" / ".studio") as queue:
        yield queue


@pytest.fixture
def flags(tmp_path: Path) -> dict[str, object]:
    picture = write_picture(tmp_path / "picture.png")
    models = tmp_path / "models"
    return {**TINY, "input_name": str(picture), "output_dir": str(models), "precision": "fp32",
            "threads": 1, "niter": 30}  # fmt: skip


def add(trainings: Trainings, flags: dict[str, object], **more: object) -> jobs.Job:
    return trainings.add("picture", "generation", "draft", {**flags, **more})


def weights(run: Path | None) -> dict[str, str]:
    """Checksums of all that was learnt."""
    assert run is not None
    files = sorted(run.rglob("*.safetensors"))
    return {p.relative_to(run).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in files}  # fmt: skip


def test_stopping_and_going_on_gives_the_same_bits(
    trainings: Trainings, flags: dict[str, object], tmp_path: Path
) -> None:
    flags["niter"] = 120
    whole = ConSinGAN.train(**{**flags, "output_dir": str(tmp_path / "whole")})
    first, second = add(trainings, flags), add(trainings, flags, niter=LONG)
    wait_for(lambda: trainings.get(first.id).progress.get("done", 0) > 10)
    assert trainings.get(first.id).state == RUNNING
    assert trainings.get(second.id).state == WAITING
    assert place(second, trainings.list()) == 1
    with pytest.raises(UsageError, match="stop it first"):
        trainings.forget(first.id)
    trainings.stop(second.id)
    assert trainings.get(second.id).state == STOPPED
    trainings.stop(first.id)
    wait_for(lambda: trainings.get(first.id).state == STOPPED)
    run = trainings.get(first.id).run
    assert run is not None and not RunDirectory(run).is_finished(RunDirectory(run).load_config())
    trainings.go_on(first.id)
    wait_for(lambda: trainings.get(first.id).state in (DONE, FAILED))
    job = trainings.get(first.id)
    assert (job.state, job.error, job.run) == (DONE, "", run)
    assert weights(run) == weights(whole)
    curves = [(stage, done) for stage, done, _ in job.progress["curves"]]
    assert curves == sorted(set(curves)) and curves[-1] == (1, 120)
    trainings.forget(second.id)
    assert [job.id for job in trainings.list()] == [first.id]


def test_what_fails_says_why_and_the_next_one_begins(
    trainings: Trainings, flags: dict[str, object], tmp_path: Path
) -> None:
    text = tmp_path / "text.png"
    text.write_text("no picture")
    bad = add(trainings, flags, input_name=str(text))
    good = add(trainings, flags)
    wait_for(lambda: trainings.get(good.id).state == DONE)
    job = trainings.get(bad.id)
    assert job.state == FAILED and job.error.startswith("`input_name`")
    assert job.run is not None and not job.run.exists()


STUDIO = """
import sys, time
from pathlib import Path
from ConSinGAN.studio.training_view import place
from ConSinGAN.studio.trainings import Trainings
with Trainings(Path(sys.argv[1])):
    time.sleep(1000)
"""


def test_a_killed_studio_leaves_no_training_behind_and_the_next_goes_on(
    flags: dict[str, object], tmp_path: Path
) -> None:
    flags["niter"] = 120
    whole = ConSinGAN.train(**{**flags, "output_dir": str(tmp_path / "whole")})
    own = tmp_path / "models" / ".studio"
    job = add(Trainings(own), flags)  # which does nothing by itself
    killed = subprocess.Popen([sys.executable, "-c", STUDIO, str(own)], cwd=ROOT)
    look = Trainings(own)
    wait_for(lambda: look.get(job.id).progress.get("done", 0) > 10)
    assert look.get(job.id).state == RUNNING
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    wait_for(lambda: not lock.is_held(job.folder))  # the training has noticed
    assert look.get(job.id).state == INTERRUPTED
    with Trainings(own) as after:
        assert after.get(job.id).state == INTERRUPTED  # it is offered, not done unasked
        after.go_on(job.id)
        wait_for(lambda: after.get(job.id).state in (DONE, FAILED))
        assert after.get(job.id).state == DONE, after.get(job.id).error
        assert weights(after.get(job.id).run) == weights(whole)


def test_an_older_run_is_gone_on_with_once(
    trainings: Trainings, flags: dict[str, object], tmp_path: Path
) -> None:
    from ConSinGAN.watch.base import StopButton, Stopped

    button = StopButton()
    button.press()
    with pytest.raises(Stopped):
        ConSinGAN.train(watchers=[button], **flags)
    (run,) = (tmp_path / "models" / "picture").iterdir()
    job = trainings.add("picture", "generation", "", {}, run)
    with pytest.raises(UsageError, match="in the queue already"):
        trainings.add("picture", "generation", "", {}, run)
    assert trainings.using(run) is not None
    wait_for(lambda: trainings.get(job.id).state == DONE)
    assert (run / "sample_sheet.png").is_file() and trainings.using(run) is None


def test_what_is_broken_on_disk_is_no_job(tmp_path: Path) -> None:
    own = tmp_path / "jobs"
    queue = jobs.Jobs(own)
    for number, text in enumerate(["", "[", "a: b", "state: x\nsince: y"]):
        (own / f"{number}").mkdir(parents=True)
        (own / f"{number}" / jobs.JOB).write_text(text)
        (own / f"{number}" / jobs.STATE).write_text(text)
    (own / "file").write_text("x")
    (own / ".half").mkdir()
    assert queue.list() == []
    queue.tidy()
    assert not (own / ".half").exists()
    for key in ("0", "..", None, 3, ["0"]):
        with pytest.raises(UsageError, match="not there any more"):
            queue.get(key)
