"""What the presets share that look for the largest setting that ends in time on this machine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch

from ConSinGAN import beginning, console, estimate, hardware, modes
from ConSinGAN.config import SCHEMA, TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.presets.base import Configure, Preset, Values

log = logging.getLogger(__name__)

Measure = Callable[[TrainConfig, torch.device, torch.dtype], estimate.Speed]


class Fitting(Preset):
    """One of some settings: the largest that ends within `longest` and within `share` of the time
    of a run without it, or else the smallest.

    Says which, and what a longer one would bring.
    """

    longest: ClassVar[float]  # seconds
    share: ClassVar[float]  # of what the run without the preset would take
    flag: ClassVar[str]  # how it is asked for

    def settings(self, full: TrainConfig) -> Sequence[Values]:
        """What there is to choose from, from quick to slow; full: the run without the preset."""
        return modes.get(full.train_mode).drafts

    def choose(self, configure: Configure, measure: Measure | None = None) -> Values:
        """As the base class says; measure: how quick the machine is, if that is known already."""
        device, full = beginning.prepare_device(configure({}))
        size = beginning.picture_size(full)
        dtype = hardware.select_precision(full.precision, device)
        speed = (measure or estimate.measure)(full, device, dtype)

        def seconds(config: TrainConfig) -> float:
            mode = modes.get(config.train_mode)
            sizes = mode.trained_sizes(mode.stage_sizes(size, config), config)
            return speed.seconds(config, sizes, len(sizes) - 1 if config.fine_tune else 0)

        known, refusals = [], []  # (seconds, preset, configuration)
        for preset in self.settings(full):
            config = configure(preset)
            try:
                known.append((seconds(config), preset, config))
            except UsageError as error:  # the picture is too flat for this one
                refusals.append(error)
        if not known:
            raise refusals[0]
        try:
            whole = seconds(full)
        except UsageError:  # too flat for a full run, though not for this
            whole = float("inf")
        fitting = [row for row in known if row[0] <= min(self.longest, self.share * whole)]
        chosen = fitting[-1] if fitting else known[0]
        log.info("%s: %s", self.name, _describe(chosen[2], chosen[0]))
        longer = [
            f"{_describe(config, time)} with {self.flag} {_as_flags(config, preset)}"
            for time, preset, config in known[known.index(chosen) + 1 :][:1]
        ]
        if whole < float("inf"):
            longer.append(f"{_describe(full, whole)} without {self.flag}")
        if longer:
            log.info("longer is sharper: %s", "; ".join(longer))
        return chosen[1]


def _as_flags(config: TrainConfig, preset: Values) -> str:
    """What a configuration has of a preset's options: another objective has no `lambda_grad`."""
    flat = SCHEMA.flat(config)
    return " ".join(f"--{name} {flat[name]}" for name in preset if name in flat)


def _describe(config: TrainConfig, seconds: float) -> str:
    return (
        f"{config.max_size} pixels, {config.train_stages} stages of {config.niter} iterations, "
        f"about {console.in_words(seconds)} here"
    )
