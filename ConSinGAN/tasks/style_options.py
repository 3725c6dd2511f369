"""Options of style: the content, its colours, and how large."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option
from ConSinGAN.tasks._size_options import Size
from ConSinGAN.tasks._tile_options import TileOptions

MATCHES = ("none", "mean", "histogram")


@dataclass(frozen=True, kw_only=True)
class Options(TileOptions, Size):
    """The content, of any shape, and the size of what is made of it."""

    content_img: str | None = option(
        None, "task", "the picture to draw in the training picture's style", metavar="PATH"
    )
    match_colours: str = option(
        "histogram", "task",
        "give the content the training picture's colours before: none; mean and spread; histogram",
        choices=MATCHES,
    )  # fmt: skip
