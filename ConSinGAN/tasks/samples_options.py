"""Options of random samples."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import Scope, option
from ConSinGAN.tasks._tile_options import TileOptions


@dataclass(frozen=True, kw_only=True)
class Options(TileOptions):
    """How many, how large, how different, and which part of them."""

    num_samples: int = option(50, "task", "random samples per size", low=1, scope=Scope.HARMLESS)
    scale_h: float | None = option(None, "task", "height factor of the samples", above=0, high=100)
    scale_w: float | None = option(None, "task", "width factor of the samples", above=0, high=100)
    size: tuple[int, int] | None = option(
        None, "task", "draw samples of this size, pixels", low=1, high=32768, metavar=("H", "W")
    )
    window: tuple[int, int, int, int] | None = option(
        None, "task", "draw only this part of every sample, pixels from its upper left corner",
        low=0, high=10**6, metavar=("TOP", "LEFT", "H", "W"),
    )  # fmt: skip
    start_scale: int = option(
        0, "task", "stages below this one stay as in the reconstruction: variations of the picture "
        "instead of new layouts", low=0, high=100, metavar="STAGE",
    )  # fmt: skip
