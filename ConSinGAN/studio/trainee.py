"""One training, in a process of its own: `python -m ConSinGAN.studio.trainee JOB`.

So that it can neither take the page down nor slow it. It ends, with a checkpoint, when a line or
the end comes from standard input: the studio's, or the studio itself has gone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import sys
import threading
import time
from pathlib import Path

from ConSinGAN import launch, lock, saved
from ConSinGAN.atomic import write_atomic
from ConSinGAN.errors import ConSinGANError, describe
from ConSinGAN.studio.jobs import OUTCOME, RUN, Job, Jobs

STOPPED, TAKEN = 10, 11  # exit codes: stopped with a checkpoint; somebody else is at it
PREVIEWS = 12  # of a stage, unless it was said how many
PATIENCE = 10  # seconds for one who only looks whether the lock is held


def main() -> int:
    """Train, or go on; the exit code."""
    folder = Path(sys.argv[1])
    job = Jobs(folder.parent).get(folder.name)
    try:
        with lock.hold(folder, PATIENCE):
            return _work(job)
    except lock.InUse:
        return TAKEN


def _work(job: Job) -> int:
    from ConSinGAN.studio.diary import Diary
    from ConSinGAN.watch.base import StopButton, Stopped

    (job.folder / OUTCOME).unlink(missing_ok=True)
    with contextlib.suppress(AttributeError, OSError):
        os.nice(5)  # the page comes first
    logging.getLogger("ConSinGAN").setLevel(logging.INFO)  # what its run.log holds
    button = StopButton()
    threading.Thread(target=_listen, args=(button,), daemon=True).start()
    try:
        _train_or_resume(job, [Diary(job.folder), button])
    except Stopped:
        return STOPPED
    except ConSinGANError as error:
        return _fail(job, error.marked, error.exit_code)
    except Exception as error:  # a bug, or no memory: its line is better than nothing
        logging.getLogger("ConSinGAN").exception("the training failed")
        return _fail(job, describe(error), 1)
    return 0


def _fail(job: Job, message: str, code: int) -> int:
    write_atomic(job.folder / OUTCOME, json.dumps({"error": message}).encode())
    return code


def _listen(button: object) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stdin.readline()
    button.press()  # type: ignore[attr-defined]


def _train_or_resume(job: Job, watchers: list) -> None:
    run = job.run
    if run is not None and (run / saved.CONFIG).is_file():
        launch.resume(run, {}, watchers)
        return
    config = launch.prepare(job.flags)
    if "preview_every" not in job.flags:
        config = dataclasses.replace(config, preview_every=max(1, config.niter // PREVIEWS))
    from ConSinGAN import training
    from ConSinGAN.run import TIMESTAMP, run_name

    if run is None:
        name = run_name(config, time.strftime(TIMESTAMP))
        run = Path(config.output_dir) / f"{name}_{job.id[-4:]}"
        write_atomic(job.folder / RUN, str(run).encode())
    training.train(config, watchers, run)


if __name__ == "__main__":
    sys.exit(main())
