"""The option of tasks whose drawings may be of any size."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import Scope, option


@dataclass(frozen=True, kw_only=True)
class TileOptions:
    """In which windows to draw.

    A task whose `Options` inherit this asks `_tiling.tile_for` with its frame and the option's
    value. `model.drawing(latents, frame, tile)` is then a `TiledPicture` either way: in windows, or
    whole and in one if that is 0. `latents` is called with parts of the frame and gives the noise
    maps of their stages. `model.random_latents` is such a one, also with a picture `given` for
    stage 0; a task that mixes its own, a fixed inside with a drawn outside, say, writes a function
    of `latents.cut(picture, place)` and `latents.put`, for what it has, and
    `latents.noise_of(generator, field, part, stage)`, for stages in `range(part.num_stages)`.
    `TiledPicture.then`, `near` and `changed_coarsely` change the windows afterwards, by themselves
    or by what is around them. The task yields a `Drawing` of the `TiledPicture`, which is written
    window by window, or of its `tensor()` if the tile is 0. `_tiling.check_tiled` refuses formats
    that cannot be written in parts.
    """

    tile: int | None = option(
        None, "task",
        "draw in windows of so many pixels a side, which needs little memory; 0: never (default: "
        "where memory does not suffice for the whole)", low=0, high=32768, metavar="PIXELS",
        scope=Scope.ROUNDING,
    )  # fmt: skip
