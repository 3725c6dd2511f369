"""Options of training to remove haze."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.modes.crop_options import Crop


@dataclass(frozen=True, kw_only=True)
class Options(Crop):
    """How much of the picture an iteration looks at."""
