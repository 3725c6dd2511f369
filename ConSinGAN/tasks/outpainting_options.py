"""Options of outpainting."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option
from ConSinGAN.tasks._num_options import Num
from ConSinGAN.tasks._tile_options import TileOptions


@dataclass(frozen=True, kw_only=True)
class Options(TileOptions, Num):
    """How far, and how often."""

    extend: tuple[int, int, int, int] | None = option(
        None, "task", "how far to go on beyond the picture, pixels of its finest stage",
        low=0, high=32768, metavar=("TOP", "RIGHT", "BOTTOM", "LEFT"),
    )  # fmt: skip
