"""The queue of trainings: one at a time, in a process of its own; it outlives page and studio.

If the studio ends, however, its training notices, saves a checkpoint and ends, too. The next studio
finds the job interrupted and offers to go on; what waited goes on waiting, and its turn comes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ConSinGAN import lock
from ConSinGAN.errors import UsageError
from ConSinGAN.studio import trainee
from ConSinGAN.studio.jobs import DONE, FAILED, INTERRUPTED, RUNNING, STOPPED, WAITING, Job, Jobs

log = logging.getLogger(__name__)

BEAT = 0.2  # seconds between looks at the training
PATIENCE = 60.0  # seconds that a training gets to save its checkpoint at the end
GOING_ON = (STOPPED, FAILED, INTERRUPTED)  # states from which a training can go on


class Trainings:
    """The queue. Use as a context manager; outside, nothing is trained."""

    def __init__(self, folder: Path) -> None:
        """folder: for the studio's own files, in the models folder."""
        self.folder = folder
        self._jobs = Jobs(folder / "jobs")
        self._changing = threading.RLock()
        self._child: subprocess.Popen | None = None
        self._at: Job | None = None  # what the child trains
        self._stopping = False  # that was asked of the child
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_after, daemon=True)

    def __enter__(self) -> Trainings:
        self._jobs.tidy()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """The training that runs saves a checkpoint and ends; to be gone on with next time."""
        self._ended.set()
        self._thread.join()
        child = self._child
        if child is not None:
            self._tell_to_stop(child)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(PATIENCE)
            if child.poll() == 0 and self._at is not None:
                self._jobs.write(self._at, DONE)

    # What pages ask ---------------------------------------------------------------------------

    def list(self) -> list[Job]:
        """All jobs, the oldest first, each in the state that it is in."""
        with self._changing:
            return [self._as_it_is(job) for job in self._jobs.list()]

    def get(self, key: object) -> Job:
        """One job. Raises UsageError if there is none of that id."""
        with self._changing:
            return self._as_it_is(self._jobs.get(key))

    def is_stopping(self, job: Job) -> bool:
        """Whether it runs, and was asked to stop."""
        return self._stopping and self._at is not None and self._at.id == job.id

    def using(self, run: Path) -> Job | None:
        """The job that trains, or will train, in this run directory."""
        busy = (RUNNING, WAITING)
        return next((job for job in self.list() if job.run == run and job.state in busy), None)

    def add(
        self, title: str, mode: str, effort: str, flags: Mapping[str, Any], run: Path | None = None
    ) -> Job:
        """Ask for a training; run: the run directory to go on with, if it is an older one.

        Raises UsageError if that is in the queue already.
        """
        with self._changing:
            if run is not None and self.using(run) is not None:
                raise UsageError("this training is in the queue already")
            return self._jobs.add(title, mode, effort, flags, run)

    def stop(self, key: object) -> None:
        """Let a training save a checkpoint and stop; one that waits is taken out of the queue."""
        with self._changing:
            job = self.get(key)
            if job.state == WAITING:
                self._jobs.write(job, STOPPED)
            elif job.state == RUNNING and self._child is not None and not self._stopping:
                self._stopping = True
                self._tell_to_stop(self._child)

    def go_on(self, key: object) -> None:
        """Put a training that stopped, failed or was interrupted into the queue again."""
        with self._changing:
            job = self.get(key)
            if job.state in GOING_ON:
                self._jobs.write(job, WAITING)

    def forget(self, key: object) -> None:
        """Take a job that does not run off the list; what it trained stays among the models."""
        with self._changing:
            job = self.get(key)
            if job.state == RUNNING:
                raise UsageError("the training is running; stop it first")
            self._jobs.forget(job)

    # The process ------------------------------------------------------------------------------

    def _as_it_is(self, job: Job) -> Job:
        """A job with its true state: what ran in another studio was interrupted."""
        mine = self._at is not None and self._at.id == job.id
        if job.state != RUNNING or mine or lock.is_held(job.folder):
            return job
        return dataclasses.replace(job, state=INTERRUPTED)

    def _look_after(self) -> None:
        while not self._ended.wait(BEAT):
            with self._changing:
                try:
                    self._next()
                except OSError as error:  # a full disk, say; it may get better
                    log.warning("the queue of trainings: %s", error)

    def _next(self) -> None:
        """See whether the training has ended, and begin the next one."""
        if self._child is not None and self._at is not None:
            code = self._child.poll()
            if code is None:
                return
            self._tell_to_stop(self._child)  # which closes the line to it
            states = {0: DONE, trainee.STOPPED: STOPPED, trainee.TAKEN: WAITING}
            self._jobs.write(self._at, states.get(code, FAILED))
            self._child = self._at = None
            self._stopping = False
            self._jobs.tidy()
        for job in self._jobs.list():
            if job.state == WAITING and not lock.is_held(job.folder):
                self._begin(job)
                return

    def _begin(self, job: Job) -> None:
        self._jobs.write(job, RUNNING)
        self._at = job
        with (job.folder / "output.log").open("ab") as output:
            self._child = subprocess.Popen(
                [sys.executable, "-m", trainee.__name__, str(job.folder)],
                stdin=subprocess.PIPE, stdout=output, stderr=output,
                start_new_session=True,  # Ctrl-C is for the studio, which then tells it
            )  # fmt: skip

    def _tell_to_stop(self, child: subprocess.Popen) -> None:
        with contextlib.suppress(OSError):
            if child.stdin is not None:
                child.stdin.close()
