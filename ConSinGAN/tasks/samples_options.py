"""Options of random samples."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option
from ConSinGAN.tasks._size_options import Size


@dataclass(frozen=True, kw_only=True)
class Options(Size):
    """How many, how large, and which part of them."""

    num_samples: int = option(50, "task", "random samples per size", low=1)
    scale_h: float | None = option(None, "task", "height factor of the samples", above=0, high=100)
    scale_w: float | None = option(None, "task", "width factor of the samples", above=0, high=100)
    window: tuple[int, int, int, int] | None = option(
        None, "task", "draw only this part of every sample, pixels from its upper left corner",
        low=0, high=10**6, metavar=("TOP", "LEFT", "H", "W"),
    )  # fmt: skip
