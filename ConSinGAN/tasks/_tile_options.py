"""The option of tasks whose drawings may be of any size."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import Scope, option


@dataclass(frozen=True, kw_only=True)
class TileOptions:
    """In which windows to draw.

    A task whose `Options` inherit this asks `tiles.choose_tile` with its frame and the option's
    value; where that is not 0 it yields a `Drawing` whose frame is
    `model.draw_tiled(latents, frame, tile)`, which is written window by window. `latents` is called
    with parts of the frame and gives the noise maps of their stages. `model.random_latents` is
    such a one, also with a picture `given` for stage 0; a task that mixes its own, a fixed inside
    with a drawn outside, say, writes `lambda part: [...]` of `latents.cut(picture, place)`, for
    what it has, and `latents.noise_of(generator, field, part, stage)`, for stages in
    `range(part.num_stages)`. `TiledPicture.then` changes the windows afterwards.
    `_tiling.check_tiled` refuses formats that cannot be written in parts.
    """

    tile: int | None = option(
        None, "task",
        "draw in windows of so many pixels a side, which needs little memory; 0: never (default: "
        "where memory does not suffice for the whole)", low=0, high=32768, metavar="PIXELS",
        scope=Scope.ROUNDING,
    )  # fmt: skip
