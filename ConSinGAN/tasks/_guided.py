"""What paint and style share: a picture of any shape enters stage 0 of a model, at any size."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

import torch.nn.functional as F

from ConSinGAN.errors import UsageError
from ConSinGAN.frame import Window
from ConSinGAN.noise import DrawingStreams, Purpose
from ConSinGAN.pictures.votes import likeliest, mean_around, patches_around
from ConSinGAN.resize import resize, scaled_size
from ConSinGAN.tasks._tiling import tile_for

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.frame import Frame, Size
    from ConSinGAN.model import ImageModel
    from ConSinGAN.tiles import TiledPicture

LEAST = 8  # pixels of the shorter side of what is drawn
MARGIN = 12  # pixels that are drawn around it and cut off: models draw borders as their picture's


def frame_for(
    model: ImageModel, picture: Size, size: Size | None, flag: str, tile: int | None = 0
) -> tuple[Frame, int]:
    """The frame of a drawing, and how many pixels a side its tiles have: 0 for none.

    picture: (h, w) of what enters; it decides the aspect ratio where `size` is None, and the
    longer side is the model's. flag: of the picture. tile: see `_tile_options`. Raises UsageError,
    naming `flag` or `size`, if the drawing would be too flat or too large.
    """
    if size is None:
        scale = max(model.sizes[-1]) / max(picture)
        size = max(1, round(picture[0] * scale)), max(1, round(picture[1] * scale))
    else:
        flag = "`size`"
    height, width = size
    if min(size) < LEAST:
        raise UsageError(
            f"{flag}: it would be drawn {width}x{height} pixels large, and each side must have at "
            f"least {LEAST}; take a picture that is less flat, or a larger `size`"
        )
    margin = min(MARGIN, min(size) - 1)
    around = model.generator.frame(model.sizes_for((height + 2 * margin, width + 2 * margin)))
    frame = replace(around, window=Window(margin, margin, height, width))
    return frame, tile_for(model, frame, tile, flag)


def guide(
    model: ImageModel, picture: Tensor, frame: Frame, seed: int = 0, tile: int = 0
) -> TiledPicture:
    """What the model makes of a picture that enters stage 0: (1, C, *frame.size) in [-1, 1].

    picture: (1, C, H, W) in [-1, 1], of any size; it fills the frame's window, and what is drawn
    around that is its mirror image. Noise of later stages is new: the training's fits no other
    size.
    """
    streams = DrawingStreams(Purpose.COMPOSITE, seed, device=model.device)
    around = _mirrored(picture, frame)
    small = resize(around, size=frame.places[0].whole_size).to(model.device)
    given = model.mode.naive_input(small, streams)
    return model.drawing(model.random_latents(Purpose.COMPOSITE, seed, 0, given=given), frame, tile)


def _mirrored(picture: Tensor, frame: Frame) -> Tensor:
    """The picture and what mirrors at its edges show, as far as the frame goes around it."""
    window = frame.window
    assert window is not None
    height, width = picture.shape[2:]
    more = min(round(window.top / window.height * height), height - 1)
    wide = min(round(window.left / window.width * width), width - 1)
    return F.pad(picture, (wide, wide, more, more), mode="reflect")


def touch_up(
    drawn: TiledPicture, real: Tensor, share: float, sides: tuple[int, ...] = (100,),
    rounds: int = 1, patch: int = 5, centre: float = inf,
) -> TiledPicture:  # fmt: skip
    """A drawing whose coarse parts are moved towards pieces of the training picture.

    real: (1, C, h, w), of the drawing's resolution. Both are shrunk so that the picture's longer
    side has at most so many pixels, one after the other; what is finer stays the drawing's. share:
    how far. rounds: of search and vote. patch: pixels of the pieces. centre: see `mean_of_patches`.
    """
    longer = max(real.shape[2:])
    for side in sorted({min(side, longer) for side in sides}):
        scale = side / longer
        pieces = patches_around(real if scale == 1 else resize(real, scale=scale), patch)

        def change(place: Window, coarse: Tensor, pieces: Tensor = pieces) -> Tensor:
            moved = coarse
            for _ in range(rounds):
                chosen = likeliest(patches_around(moved, patch), pieces)
                moved = mean_around(chosen, (place.height, place.width), patch, centre)
            return share * (moved - coarse)

        size = scaled_size(drawn.size, scale)
        drawn = drawn.changed_coarsely(size, rounds * (patch - 1), change, (scale, scale))
    return drawn
