"""How a training is shown: its state in words, a bar, curves, the newest preview."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ConSinGAN import console
from ConSinGAN.errors import OPTION
from ConSinGAN.studio import curves, texts
from ConSinGAN.studio.jobs import DONE, FAILED, INTERRUPTED, RUNNING, STOPPED, WAITING, Job
from ConSinGAN.studio.trainings import Trainings

SHEET = "sample_sheet.png"
KEPT = re.compile(r"/[^\"'`]*?/pictures/[0-9a-f]{16}/")  # where `uploads.Pictures` keeps a file


def state_of(job: Job, trainings: Trainings, jobs: Sequence[Job]) -> str:
    """Its state in a few words; jobs: all that there are, in their order."""
    state = "stopping" if trainings.is_stopping(job) else job.state
    return texts.STATES[state].format(place=place(job, jobs))


def place(job: Job, jobs: Sequence[Job]) -> int:
    """Which of those that wait it is, counted from 1; 0 if it does not wait."""
    waiting = [other.id for other in jobs if other.state == WAITING]
    return waiting.index(job.id) + 1 if job.id in waiting else 0


def row(job: Job, trainings: Trainings, jobs: Sequence[Job]) -> str:
    """A line for the list of trainings."""
    parts = [job.title, texts.MODES.get(job.mode, job.mode), texts.EFFORTS.get(job.effort, "")]
    return f"{' · '.join(filter(None, parts))} — {state_of(job, trainings, jobs)}"


def heading(job: Job, trainings: Trainings, jobs: Sequence[Job]) -> str:
    """HTML: what it is, how far it is, and what can be said about that."""
    progress = job.progress
    mode, effort = texts.MODES.get(job.mode, job.mode), texts.EFFORTS.get(job.effort, "")
    chips = "".join(f"<span>{html.escape(part)}</span>" for part in (mode, effort) if part)
    share = 1.0 if job.state == DONE else float(progress.get("fraction", 0.0))
    percent = f"{100 * share:.0f}"
    bar = (
        f'<div class="bar" role="progressbar" aria-label="{html.escape(job.title)}" '
        f'aria-valuenow="{percent}" aria-valuemin="0" aria-valuemax="100">'
        f'<div style="width: {100 * share:.1f}%"></div></div>'
    )
    return (
        f'<div class="job {job.state}"><h3>{html.escape(job.title)}</h3>'
        f'<p class="chips">{chips}<b>{html.escape(state_of(job, trainings, jobs))}</b></p>{bar}'
        f"<p>{html.escape(_sentence(job, progress))}</p></div>"
    )


def _sentence(job: Job, progress: dict[str, Any]) -> str:
    if job.state == FAILED:
        return sentence(job.error) or texts.STATES[FAILED]
    fixed = {WAITING: texts.WAITS, DONE: texts.WAS_DONE, INTERRUPTED: texts.WAS_INTERRUPTED}
    if job.state in fixed:
        return fixed[job.state]
    if job.state == STOPPED:
        return texts.WAS_STOPPED if progress else texts.WAS_STOPPED_BEFORE
    if not progress.get("niter"):
        return texts.BEGINNING
    width, height = progress["size"]
    text = texts.STAGE.format(
        stage=progress["stage"] + 1, stages=progress["stages"], width=width, height=height,
        done=progress["done"], niter=progress["niter"],
    )  # fmt: skip
    left = progress.get("left")
    if left is not None and job.state == RUNNING:
        text += f"; {texts.LEFT.format(time=console.in_words(left))}"
    return f"{text}."


def sentence(message: str) -> str:
    """A message of the toolkit as a sentence: options by their names, no path of this machine."""
    text = KEPT.sub("", OPTION.sub(r"\1", message))
    name = text.removeprefix("input_name ")  # what follows is a file's name
    text = name if name != text else text[:1].upper() + text[1:]
    return text + ("" if text.endswith(".") or not text else ".")


def losses(job: Job) -> str:
    """HTML: the curves, as far as there are any."""
    progress = job.progress
    points = progress.get("curves") or []
    return curves.draw(points, progress.get("iterations") or [], texts.LOSSES)


def preview(job: Job) -> Path | None:
    """The picture that shows best what the model can do now."""
    run = job.run
    if run is None:
        return None
    names = [SHEET] if job.state == DONE else list(reversed(job.progress.get("previews") or []))
    for name in names:
        path = run / name
        if path.is_file():
            return path
    return None
