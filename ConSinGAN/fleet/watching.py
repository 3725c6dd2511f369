"""How far a run is, told to the fleet; and the fleet's word to stop, told to the run."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ConSinGAN.fleet.board import Reporter
from ConSinGAN.watch.base import Moment, Stop
from ConSinGAN.watch.progress import Progress, Standing


class FleetWatcher(Progress):
    """Tells a reporter of stage, iterations and the share of the run's work that is done."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self.reporter = reporter

    def should_stop(self) -> Stop | None:
        reason = self.reporter.should_stop
        return None if reason is None else Stop(reason)

    def tell(self, moment: Moment, terms: Mapping[str, Tensor], standing: Standing) -> None:
        self.reporter.say(
            iterations=self.iterations, fraction=standing.fraction, left=standing.left,
            where=f"stage {moment.stage + 1}/{moment.config.train_stages}, "
            f"{moment.done}/{moment.niter}",
        )  # fmt: skip
