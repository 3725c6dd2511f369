"""Options of training for super-resolution."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.modes.crop_options import Crop
from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Options(Crop):
    """By how much the picture shall be enlarged, and how that is learnt."""

    factor: float = option(2.0, "mode", "by how much pictures are enlarged", above=1, high=8)
    adversarial: float | None = option(
        None, "mode",
        "weight of the adversarial loss at the last stage: 0 is true to every pixel, more is "
        "sharper (default: 0 up to a factor of 2.5, then 1)", low=0, high=1000,
    )  # fmt: skip
