"""What a watcher is: it looks at a run from outside and may ask it to stop."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ConSinGAN.config import TrainConfig
from ConSinGAN.errors import ConSinGANError

if TYPE_CHECKING:  # who only wants to stop a run needs no torch
    from torch import Tensor

    from ConSinGAN.model import ImageModel
    from ConSinGAN.naive import Naive


@dataclass(frozen=True)
class Moment:
    """Where a run is.

    run, folder: its directory and the stage's. stage: 0-based. done: iterations of the stage.
    model: as it is now; it goes on learning, and only the training thread may let it draw.
    """

    run: Path
    folder: Path
    stage: int
    done: int
    config: TrainConfig
    model: ImageModel
    naive: Naive | None = None

    @property
    def niter(self) -> int:
        """How many iterations the stage gets."""
        return self.config.iterations(self.stage)

    @property
    def title(self) -> str:
        """The stage in words."""
        height, width = self.model.sizes[-1]
        return f"stage {self.stage + 1}/{self.config.train_stages} ({width}x{height})"


class Stop(NamedTuple):
    """Why a run shall stop, and with which code a script shall end."""

    reason: str
    exit_code: int = 1


class Stopped(ConSinGANError):
    """Training was stopped by a watcher; what was done is saved."""

    prefix: ClassVar[str] = ""  # it is what was asked for

    def __init__(self, message: str, stop: Stop) -> None:
        super().__init__(message)
        self.reason, self.exit_code = stop


class Watcher:
    """All hooks are called on the training thread, and do nothing by default.

    A hook that fails costs a line in the log, and the watcher is not called any more; the run goes
    on. Losses are scalar tensors: on a GPU, reading one means waiting for it.
    """

    def begin(self) -> None:
        """Training begins; `end` follows, however it ends."""

    def begin_stage(self, moment: Moment) -> None:
        """A stage begins or goes on; `end_stage` follows, however it ends."""

    def iteration(self, moment: Moment, terms: Mapping[str, Tensor]) -> None:
        """An iteration is done; terms: its losses, good until the next one begins."""

    def preview(self, moment: Moment, files: Sequence[Path]) -> None:
        """Previews were written: pictures and animations of the stage as it is."""

    def should_stop(self) -> Stop | None:
        """Asked after every iteration: shall the run save a checkpoint and stop?"""
        return None

    def end_stage(self) -> None:
        """The stage is done or given up."""

    def end(self) -> None:
        """Training is done or given up."""


class StopButton(Watcher):
    """Stops the run when `press` is called, from whatever thread."""

    def __init__(self) -> None:
        self._pressed = threading.Event()

    def press(self) -> None:
        """Let the run save a checkpoint and stop after the iteration that it is at."""
        self._pressed.set()

    def should_stop(self) -> Stop | None:
        return Stop("the stop button") if self._pressed.is_set() else None
