"""Inpainting: a hole in the picture is drawn anew, so that it fits what is around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ConSinGAN.errors import UsageError
from ConSinGAN.modes.base import Mode

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.config import TrainConfig


class Inpainting(Mode):
    """As generation, but what the mask covers is never looked at; see `sources.hidden`."""

    name = "inpainting"
    summary = "fills a hole in the picture, or takes an object out of it"
    defaults = {"input_name": "Images/Inpainting/island.jpg"}
    source = "hidden"
    default_task = "inpainting"
    previews = ("samples", "inpainting")
    hides = True

    def read_hole(self, config: TrainConfig, picture: Tensor) -> Tensor | None:
        from ConSinGAN import images
        from ConSinGAN.checks import check_mask
        from ConSinGAN.pyramid import size_of

        path = config.options_of("mode").mask or images.find_mask(config.input_name)
        if path is None:
            raise UsageError(
                f"`mask` is needed, white where {config.input_name} shall be drawn anew; or put it "
                "beside the picture, with _mask after its name"
            )
        mask = images.read_mask(path, "`mask`", config.max_megapixels)
        if mask.shape[2:] != picture.shape[2:]:
            (height, width), (h, w) = size_of(mask), size_of(picture)
            raise UsageError(
                f"`mask` {path}: is {width}x{height} pixels (width x height), and the picture "
                f"{w}x{h}; it must cover it pixel by pixel"
            )
        check_mask(f"`mask` {path}", mask)
        hole = mask >= 0.5
        if hole.all():
            raise UsageError(f"`mask` {path}: all of it is white; leave black what shall stay")
        return hole
