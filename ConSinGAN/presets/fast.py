"""What trains in a fraction of the time; docs/quality.md says how well it draws."""

from __future__ import annotations

import logging
from typing import Any

import torch

from ConSinGAN.methods.windows import why_no_windows
from ConSinGAN.modes.base import ONE_STEP
from ConSinGAN.networks import make_generator
from ConSinGAN.presets.base import Configure, Preset, Values

log = logging.getLogger(__name__)

WINDOW = 64  # pixels; a critic's 54 x 54 scores


class Fast(Preset):
    """One critic step an iteration, and random windows of large stages where they can be had."""

    name = "fast"
    summary = "a fraction of the default's time, for somewhat less; see docs/quality.md"

    def choose(self, configure: Configure) -> Values:
        values: dict[str, Any] = dict(ONE_STEP)
        config = configure(values)
        with torch.device("meta"):
            reason = why_no_windows(config, make_generator(config))
        if reason is None:
            values["train_window"] = WINDOW
        else:
            log.info("fast: whole pictures in every iteration (%s)", reason)
        return values
