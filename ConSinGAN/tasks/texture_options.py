"""Options of textures."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option
from ConSinGAN.tasks._num_options import Num
from ConSinGAN.tasks._size_options import Size
from ConSinGAN.tasks._tile_options import TileOptions


@dataclass(frozen=True, kw_only=True)
class Options(TileOptions, Size, Num):
    """How many, how large, and where they go on."""

    wrap: str = option(
        "both", "task", "edges across which the texture goes on: left and right are horizontal",
        choices=("both", "horizontal", "vertical"),
    )  # fmt: skip
