"""Options of random samples."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option
from ConSinGAN.tasks._num_options import Num
from ConSinGAN.tasks._size_options import Size
from ConSinGAN.tasks._tile_options import TileOptions

DISTANCE = 0.3  # of neighbours


@dataclass(frozen=True, kw_only=True)
class Options(TileOptions, Size, Num):
    """How many, how large, how different, and which part of them."""

    scale_h: float | None = option(None, "task", "height factor of the samples", above=0, high=100)
    scale_w: float | None = option(None, "task", "width factor of the samples", above=0, high=100)
    window: tuple[int, int, int, int] | None = option(
        None, "task", "draw only this part of every sample, pixels from its upper left corner",
        low=0, high=10**6, metavar=("TOP", "LEFT", "H", "W"),
    )  # fmt: skip
    start_scale: int = option(
        0, "task", "stages below this one stay as in the reconstruction: variations of the picture "
        "instead of new layouts", low=0, high=100, metavar="STAGE",
    )  # fmt: skip
    near: str | None = option(
        None, "task", "draw pictures that resemble this sample: its number, or 7/3 for neighbour 3 "
        "of sample 7", metavar="NUMBER",
    )  # fmt: skip
    distance: float | None = option(
        None, "task", f"how far from it: 0 is that sample, 1 any other (default: {DISTANCE})",
        low=0, high=1,
    )  # fmt: skip
