"""Options of random samples."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option
from ConSinGAN.tasks._num_options import Num


@dataclass(frozen=True, kw_only=True)
class Options(Num):
    """How many, how large, and which part of them."""

    scale_h: float | None = option(None, "task", "height factor of the samples", above=0, high=100)
    scale_w: float | None = option(None, "task", "width factor of the samples", above=0, high=100)
    size: tuple[int, int] | None = option(
        None, "task", "draw samples of this size, pixels", low=1, high=32768, metavar=("H", "W")
    )
    window: tuple[int, int, int, int] | None = option(
        None, "task", "draw only this part of every sample, pixels from its upper left corner",
        low=0, high=10**6, metavar=("TOP", "LEFT", "H", "W"),
    )  # fmt: skip
