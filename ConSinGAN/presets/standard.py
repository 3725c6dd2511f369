"""Between a first look and the paper's numbers."""

from __future__ import annotations

from collections.abc import Sequence

from ConSinGAN.config import TrainConfig
from ConSinGAN.presets.base import Values
from ConSinGAN.presets.fitting import Fitting


class Standard(Fitting):
    """One of the mode's `drafts`, or the run without a preset in half as many iterations."""

    name = "standard"
    summary = "the largest of these and of half a full run that takes about 20 minutes here"
    longest = 1200.0
    share = 0.55  # half a full run is among the settings
    flag = "--preset standard"

    def settings(self, full: TrainConfig) -> Sequence[Values]:
        return [*super().settings(full), {"niter": max(1, full.niter // 2)}]
