"""A first look, as large as this machine does in minutes."""

from __future__ import annotations

import logging

from ConSinGAN import beginning, estimate, hardware, modes
from ConSinGAN.config import TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.presets.base import Configure, Preset, Values

log = logging.getLogger(__name__)

LONGEST = 240.0  # seconds
SHARE = 1 / 12  # of what the run without the preset would take


class Draft(Preset):
    """One of the mode's `drafts`: the largest that ends within LONGEST and within SHARE of the
    time of a run without it, or else the smallest.

    Says which, and what a longer one would bring.
    """

    name = "draft"
    summary = "a first look: the largest of a few settings that takes about four minutes here"

    def choose(self, configure: Configure) -> Values:
        device, full = beginning.prepare_device(configure({}))
        size = beginning.picture_size(full)
        speed = estimate.measure(full, device, hardware.select_precision(full.precision, device))

        def seconds(config: TrainConfig) -> float:
            mode = modes.get(config.train_mode)
            sizes = mode.trained_sizes(mode.stage_sizes(size, config), config)
            return speed.seconds(config, sizes, len(sizes) - 1 if config.fine_tune else 0)

        known, refusals = [], []  # (seconds, preset, configuration)
        for preset in modes.get(full.train_mode).drafts:
            config = configure(preset)
            try:
                known.append((seconds(config), preset, config))
            except UsageError as error:  # the picture is too flat for this one
                refusals.append(error)
        if not known:
            raise refusals[0]
        try:
            whole = seconds(full)
        except UsageError:  # too flat for a full run, though not for a draft
            whole = float("inf")
        fitting = [row for row in known if row[0] <= min(LONGEST, SHARE * whole)]
        chosen = fitting[-1] if fitting else known[0]
        log.info("draft: %s", _describe(chosen[2], chosen[0]))
        longer = [
            f"{_describe(config, time)} with --draft "
            + " ".join(f"--{name} {getattr(config, name)}" for name in preset)
            for time, preset, config in known[known.index(chosen) + 1 :][:1]
        ]
        if whole < float("inf"):
            longer.append(f"{_describe(full, whole)} without --draft")
        if longer:
            log.info("longer is sharper: %s", "; ".join(longer))
        return chosen[1]


def _describe(config: TrainConfig, seconds: float) -> str:
    return (
        f"{config.max_size} pixels, {config.train_stages} stages of {config.niter} iterations, "
        f"about {estimate.in_words(seconds)} here"
    )
