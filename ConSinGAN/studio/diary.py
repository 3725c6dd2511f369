"""What a training writes down for the page: how far it is, its losses, its newest preview."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ConSinGAN.atomic import write_atomic
from ConSinGAN.studio.jobs import PROGRESS
from ConSinGAN.watch.base import Moment
from ConSinGAN.watch.progress import Progress, Standing

BEAT = 0.5  # seconds between two entries
POINTS_PER_STAGE = 60  # of the curves


class Diary(Progress):
    """Writes the newest state into one small file, which is whole whenever it is read."""

    def __init__(self, folder: Path) -> None:
        """folder: the job's. Curves go on where an earlier process left them."""
        super().__init__()
        self.path = folder / PROGRESS
        self.entry: dict[str, Any] = {"curves": [], "previews": []}
        self._written = 0.0
        with contextlib.suppress(OSError, ValueError):
            before = json.loads(self.path.read_text(encoding="utf-8"))
            self.entry["curves"], self.entry["previews"] = before["curves"], before["previews"]

    def begin_stage(self, moment: Moment) -> None:
        here = (moment.stage, moment.done)  # a run may go on from before its last point
        self.entry["curves"] = [p for p in self.entry["curves"] if (p[0], p[1]) <= here]
        config = moment.config
        self.entry["iterations"] = [config.iterations(i) for i in range(config.train_stages)]
        super().begin_stage(moment)
        self._write()

    def tell(self, moment: Moment, terms: Mapping[str, Tensor], standing: Standing) -> None:
        height, width = moment.model.sizes[-1]
        self.entry |= {
            "run": str(moment.run),
            "stage": moment.stage,
            "stages": moment.config.train_stages,
            "done": moment.done,
            "niter": moment.niter,
            "size": [width, height],
            "fraction": standing.fraction,
            "left": standing.left,
        }
        every = max(1, moment.niter // POINTS_PER_STAGE)
        if terms and (moment.done % every == 0 or moment.done == moment.niter):
            losses = {name: round(float(value), 5) for name, value in terms.items()}
            self.entry["curves"].append([moment.stage, moment.done, losses])
        if time.monotonic() - self._written >= BEAT:
            self._write()

    def preview(self, moment: Moment, files: Sequence[Path]) -> None:
        self.entry["previews"] = [str(path.relative_to(moment.run)) for path in files]
        self._write()

    def end_stage(self) -> None:
        self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        with contextlib.suppress(OSError):  # a full disk is told by the run itself
            write_atomic(self.path, json.dumps(self.entry).encode(), durable=False)
