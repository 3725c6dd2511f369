"""How far a run is, told to the fleet; and the fleet's word to stop, told to the run."""

from __future__ import annotations

import time
from collections.abc import Mapping

from torch import Tensor

from ConSinGAN import estimate
from ConSinGAN.fleet.board import Reporter
from ConSinGAN.pyramid import sizes_of
from ConSinGAN.watch.base import Moment, Stop, Watcher

SHARE_OF_CALLS = 2e9  # products that take as long as what an iteration costs beside them


class FleetWatcher(Watcher):
    """Tells a reporter of stage, iterations and the share of the run's work that is done."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self.iterations = 0  # of this process
        self._began: tuple[float, float] | None = None  # when, and at which share of the work

    def begin_stage(self, moment: Moment) -> None:
        config = moment.config
        sizes = moment.model.mode.trained_sizes(sizes_of(moment.model.reals), config)
        each = [
            SHARE_OF_CALLS + estimate.work(config, sizes[: i + 1])
            for i in range(config.train_stages)
        ]
        total = sum(each)
        self._before = sum(each[: moment.stage]) / total
        self._here = each[moment.stage] / total
        self._tell(moment)

    def iteration(self, moment: Moment, terms: Mapping[str, Tensor]) -> None:
        self.iterations += 1
        self._tell(moment)

    def should_stop(self) -> Stop | None:
        reason = self.reporter.should_stop
        return None if reason is None else Stop(reason)

    def _tell(self, moment: Moment) -> None:
        fraction = self._before + self._here * moment.done / moment.config.niter
        now, left = time.monotonic(), None
        self._began = self._began or (now, fraction)
        start, share = self._began
        if fraction > share:
            left = (now - start) * (1 - fraction) / (fraction - share)
        self.reporter.say(
            iterations=self.iterations, fraction=fraction, left=left,
            where=f"stage {moment.stage + 1}/{moment.config.train_stages}, "
            f"{moment.done}/{moment.config.niter}",
        )  # fmt: skip
