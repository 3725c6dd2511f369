"""Trainings that were asked for, each in a folder: what shall be done, and what came of it.

    <models>/.studio/jobs/<id>/
        job.yaml         the order: flags, and what the page shows of it
        state.yaml       waiting, running, stopped, failed or done; written by the studio
        run              the run directory; written by the training before that is made
        progress.json    see `diary`; written by the training
        outcome.json     how it ended; written by the training
        .lock            held by the training as long as it lives

A job whose state is "running" while nobody holds the lock was interrupted: by a crash, or because
the studio ended.
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from ConSinGAN.atomic import write_atomic
from ConSinGAN.errors import UsageError

JOB, STATE, RUN = "job.yaml", "state.yaml", "run"
PROGRESS, OUTCOME = "progress.json", "outcome.json"
WAITING, RUNNING, STOPPED, FAILED, DONE = "waiting", "running", "stopped", "failed", "done"
INTERRUPTED = "interrupted"  # found, never written; see `trainings`
KEPT = 20  # jobs that are over, the newest


@dataclass(frozen=True)
class Job:
    """One training.

    flags: by which it is begun; empty where an unfinished run of somebody else's is gone on with.
    title: what it is called. since: when its state was written.
    """

    folder: Path
    title: str
    mode: str
    effort: str
    flags: Mapping[str, Any]
    state: str
    since: float

    @property
    def id(self) -> str:
        """Its name."""
        return self.folder.name

    @property
    def run(self) -> Path | None:
        """The run directory, once it is known; it may not be there yet."""
        try:
            return Path((self.folder / RUN).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    @property
    def progress(self) -> dict[str, Any]:
        """The diary's newest entry; empty without."""
        return _read_json(self.folder / PROGRESS)

    @property
    def error(self) -> str:
        """Why it failed, with options marked; empty if it did not."""
        return str(_read_json(self.folder / OUTCOME).get("error", ""))


class Jobs:
    """All jobs of a models folder, on disk alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list(self) -> list[Job]:
        """All jobs, in the order in which they were asked for."""
        if not self.folder.is_dir():
            return []
        found = [self._read(path) for path in sorted(self.folder.iterdir())]
        return [job for job in found if job is not None]

    def get(self, key: object) -> Job:
        """The job of that id. Raises UsageError if there is none."""
        for job in self.list():
            if job.id == key:
                return job
        raise UsageError("the training is not there any more")

    def add(
        self, title: str, mode: str, effort: str, flags: Mapping[str, Any], run: Path | None = None
    ) -> Job:
        """Write a new job that waits. run: the run directory to go on with, of an older run."""
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        new = self.folder / f".{name}"
        new.mkdir(parents=True)
        order = {"title": title, "mode": mode, "effort": effort, "flags": dict(flags)}
        write_atomic(new / JOB, yaml.safe_dump(order, allow_unicode=True).encode())
        if run is not None:
            write_atomic(new / RUN, str(run).encode())
        self._write_state(new, WAITING)
        new.rename(self.folder / name)
        return self.get(name)

    def write(self, job: Job, state: str) -> None:
        """Write what has become of it."""
        self._write_state(job.folder, state)

    def forget(self, job: Job) -> None:
        """Remove the job; what it trained stays."""
        shutil.rmtree(job.folder, ignore_errors=True)

    def tidy(self) -> None:
        """Forget all but the newest of the jobs that are done, and what was not written whole."""
        done = [job for job in self.list() if job.state == DONE]
        for job in sorted(done, key=lambda job: job.since)[:-KEPT]:
            self.forget(job)
        for left in self.folder.glob(".*") if self.folder.is_dir() else ():
            shutil.rmtree(left, ignore_errors=True)

    def _write_state(self, folder: Path, state: str) -> None:
        text = yaml.safe_dump({"state": state, "since": time.time()})
        write_atomic(folder / STATE, text.encode())

    def _read(self, folder: Path) -> Job | None:
        """A job, with the state that it is in; None for what is none."""
        if folder.name.startswith(".") or not folder.is_dir():
            return None
        try:
            order, state = _read_yaml(folder / JOB), _read_yaml(folder / STATE)
            return Job(
                folder, order["title"], order["mode"], order["effort"], order["flags"],
                state["state"], float(state["since"]),
            )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
            return None


def _read_yaml(path: Path) -> Any:
    """A file's values; read anew when it has changed."""
    stamp = path.stat()
    return _parse(path, stamp.st_mtime_ns, stamp.st_ino)


@lru_cache(maxsize=500)
def _parse(path: Path, changed: int, number: int) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
