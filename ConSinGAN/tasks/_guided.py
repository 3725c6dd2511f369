"""What paint and style share: a picture of any shape enters stage 0 of a model, at any size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from ConSinGAN.errors import UsageError
from ConSinGAN.latents import noise_of
from ConSinGAN.noise import DrawingStreams, Purpose
from ConSinGAN.resize import resize
from ConSinGAN.tiles import check_fits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ConSinGAN.frame import Size
    from ConSinGAN.model import ImageModel

LEAST = 8  # pixels of the shorter side of what is drawn
MARGIN = 12  # pixels that are drawn around it and cut off: models draw borders as their picture's


def size_for(model: ImageModel, picture: Size, size: Size | None, flag: str) -> Size:
    """(h, w) of a drawing: `size`, or the model's longer side at the picture's aspect ratio.

    picture: (h, w) of what enters. Raises UsageError, naming `flag` or `size`, if the drawing would
    be too flat or take too much memory.
    """
    if size is not None:
        check_size(model, size)
        return size
    scale = max(model.sizes[-1]) / max(picture)
    drawn = max(1, round(picture[0] * scale)), max(1, round(picture[1] * scale))
    check_size(model, drawn, flag)
    return drawn


def check_size(model: ImageModel, size: Size | None, flag: str = "`size`") -> None:
    """Raise UsageError, naming `flag`, if a drawing of (h, w) is too flat or too large."""
    if size is None:
        return
    height, width = size
    if min(size) < LEAST:
        raise UsageError(
            f"{flag}: it would be drawn {width}x{height} pixels large, and each side must have at "
            f"least {LEAST}; take a picture that is less flat, or a larger `size`"
        )
    check_fits(model.generator, size, flag)


@torch.no_grad()
def guide(
    model: ImageModel, picture: Tensor, size: Size, seed: int = 0, noise: float = 1.0
) -> Tensor:
    """What the model makes of a picture that enters stage 0: (1, C, *size) in [-1, 1].

    picture: (1, C, H, W) in [-1, 1], of any size. noise: that of later stages, as a factor of the
    training's; its fixed noise fits no other size.
    """
    margin = min(MARGIN, min(size) - 1)
    frame = model.generator.frame(model.sizes_for((size[0] + 2 * margin, size[1] + 2 * margin)))
    streams = DrawingStreams(Purpose.COMPOSITE, seed, device=model.device)
    around = _mirrored(picture, [margin / side for side in size])
    small = resize(around, size=frame.places[0].whole_size).to(model.device)
    maps = [model.mode.naive_input(small, streams)]
    for stage in range(1, frame.num_stages):
        maps.append(noise * noise_of(model.generator, streams.noise, frame, stage))
    drawn = model.draw(maps, frame)
    return drawn[..., margin : margin + size[0], margin : margin + size[1]]


def _mirrored(picture: Tensor, shares: Sequence[float]) -> Tensor:
    """The picture and what mirrors at its edges show, so much of its height and width."""
    more, wide = (
        min(round(share * side), side - 1)
        for share, side in zip(shares, picture.shape[2:], strict=True)
    )
    return F.pad(picture, (wide, wide, more, more), mode="reflect")
