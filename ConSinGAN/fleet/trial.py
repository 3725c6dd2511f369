"""One trial of a sweep, in a process of Ray's: a setting, a seed and a picture, measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ConSinGAN.fleet import trainee
from ConSinGAN.fleet.board import Reporter
from ConSinGAN.fleet.place import FolderPlace
from ConSinGAN.fleet.record import Record

Report = Callable[[dict[str, Any]], None]  # tells Tune, and does not return if that ends the trial


@dataclass(frozen=True)
class Trial:
    """The order for a trial.

    flags: of training, as typed, with picture, seed and threads. num_samples: that are measured.
    stagewise: the metric to tell after every stage, if any.
    """

    place: FolderPlace
    name: str
    flags: Mapping[str, Any]
    num_samples: int
    stagewise: str | None = None

    def blind(self) -> str | None:
        """What this machine lacks."""
        return self.place.blind()

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.place.run(self.name)

    def is_done(self) -> bool:
        """Whether the model is trained and measured."""
        return self.place.has(self.name) and bool(self.record().metrics)

    def record(self) -> Record:
        """What is measured so far."""
        return Record.read(self.path, self.num_samples)


def carry_out(trial: Trial, reporter: Reporter, report: Report) -> dict[str, Any]:
    """Train and measure what is not done of it; what there is to tell.

    Raises ConSinGANError as training does, Interrupted if it was stopped and can go on.
    """
    from ConSinGAN.fleet.measuring import StageWatcher, measure

    start = time.monotonic()
    if not trial.is_done():
        watchers = []
        if trial.stagewise is not None:
            watchers = [StageWatcher(trial.path, trial.num_samples, trial.stagewise, report)]
        order = trainee.Training(trial.place, trial.name, trial.flags)
        trainee.train(order, reporter, watchers)
        reporter.say(where="measuring", fraction=1.0, left=None)
        measure(trial.path, trial.num_samples, reporter)
    return {**reporter.facts, "seconds": round(time.monotonic() - start, 1)}
