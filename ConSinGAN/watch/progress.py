"""Which share of a run is done, and how long the rest will take."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from ConSinGAN import estimate
from ConSinGAN.pyramid import sizes_of
from ConSinGAN.watch.base import Moment, Watcher

SHARE_OF_CALLS = 2e9  # products that take as long as what an iteration costs beside them


class Standing(NamedTuple):
    """fraction: of the run's work that is done. left: seconds, None as long as nobody knows."""

    fraction: float
    left: float | None


class Progress(Watcher):
    """Knows how far the run is at every iteration; what it does with that is up to heirs."""

    def __init__(self) -> None:
        self.iterations = 0  # of this process
        self._began: tuple[float, float] | None = None  # when, and at which share of the work

    def begin_stage(self, moment: Moment) -> None:
        config = moment.config
        sizes = moment.model.mode.trained_sizes(sizes_of(moment.model.reals), config)
        each = [
            config.iterations(i) * (SHARE_OF_CALLS + estimate.work(config, sizes[: i + 1]))
            for i in range(config.train_stages)
        ]
        total = sum(each)
        self._before = sum(each[: moment.stage]) / total
        self._here = each[moment.stage] / total
        self.tell(moment, {}, self._standing(moment))

    def iteration(self, moment: Moment, terms: Mapping[str, Tensor]) -> None:
        self.iterations += 1
        self.tell(moment, terms, self._standing(moment))

    def _standing(self, moment: Moment) -> Standing:
        fraction = self._before + self._here * moment.done / moment.niter
        now, left = time.monotonic(), None
        self._began = self._began or (now, fraction)
        start, share = self._began
        if fraction > share:
            left = (now - start) * (1 - fraction) / (fraction - share)
        return Standing(fraction, left)

    @abstractmethod
    def tell(self, moment: Moment, terms: Mapping[str, Tensor], standing: Standing) -> None:
        """Called at a stage's begin, then without losses, and after every iteration."""
