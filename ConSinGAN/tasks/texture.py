"""Seamless textures: pictures that go on at their other side, and can be laid like tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ConSinGAN import console
from ConSinGAN.tasks._tiling import check_tiled, tile_for, whole
from ConSinGAN.tasks.base import Drawing, Task

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.frame import Frame
    from ConSinGAN.model import ImageModel
    from ConSinGAN.modes.base import Mode
    from ConSinGAN.tasks.texture_options import Options
    from ConSinGAN.tiles import TiledPicture

Size = tuple[int, int]  # (h, w)
# Which axes are rings: rows (the lower edge goes on at the upper one), columns.
RINGS = {"both": (True, True), "horizontal": (False, True), "vertical": (True, False)}
ORDINARY = 0.95  # of the mean difference of neighbours; what is at the cut


class Texture(Task):
    """Random pictures without edges, and beside each what it looks like laid out."""

    name = "texture"
    summary = "seamless textures, which go on at their other side"
    defaults = {"num_samples": 4}

    def unsuited(self, mode: Mode, config: TrainConfig) -> str | None:
        return mode.why_no_random_pictures()

    def check(self, model: ImageModel, config: EvalConfig) -> None:
        options: Options = config.options_of("task")
        frame = ring_frame(model, options.size or model.sizes[-1], RINGS[options.wrap])
        if tile_for(model, frame, options.tile):
            check_tiled(config)

    def run(self, model: ImageModel, config: EvalConfig) -> Iterator[Drawing]:
        from ConSinGAN.tiles import TiledPicture

        options: Options = config.options_of("task")
        rings = RINGS[options.wrap]
        drawn = textures(model, options.size, rings, options.numbers, config.seed, options.tile)
        shown = console.progress(drawn, self.name, options.num_samples, "picture")
        for number, picture in zip(options.numbers, shown, strict=True):
            yield Drawing(f"texture_{number}", [picture])
            if not isinstance(picture, TiledPicture):  # else it is too large to be looked at so
                yield Drawing(f"texture_{number}_laid", [laid(picture, rings)])

    def measured(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        options: Options = config.options_of("task")
        num, rings = options.num_samples, RINGS[options.wrap]
        drawn = textures(model, options.size, rings, range(num), config.seed, options.tile)
        return num, (whole(picture) for picture in drawn)


def textures(
    model: ImageModel, size: Size | None, rings: tuple[bool, bool], numbers: Sequence[int],
    seed: int, tile: int | None = None,
) -> Iterator[Tensor | TiledPicture]:  # fmt: skip
    """Random pictures (1, C, h, w) in [-1, 1] whose rows, columns or both are rings.

    size: (h, w) in pixels; None: as large as the training picture. numbers: of the endless series
    that the seed stands for. tile: see `_tile_options`; what
    is drawn in tiles is cut at pixel 0, wherever that is.
    """
    from ConSinGAN.noise import Purpose

    frame = ring_frame(model, size or model.sizes[-1], rings)
    side = tile_for(model, frame, tile)
    for number in numbers:
        if side:
            latents = model.random_latents(Purpose.TEXTURE, seed, number)
            yield model.draw_tiled(latents, frame, side, name=f"texture {number}")
            continue
        drawn = model.draw(model.latents(Purpose.TEXTURE, seed, number, frame), frame)
        yield cut_open(drawn, rings)


def ring_frame(model: ImageModel, size: Size, rings: tuple[bool, bool]) -> Frame:
    """The frame of such a picture of `size` (h, w).

    From stage to stage a ring grows as the training picture's distances do, from the first pixel's
    middle to the last one's; an axis with ends grows as in any other drawing.
    """
    from ConSinGAN.frame import Frame

    stages = []
    for native, plain in zip(model.sizes, model.sizes_for(size), strict=True):
        sides = zip(rings, native, model.sizes[-1], size, plain, strict=True)
        stages.append([
            max(round(wanted * (own - 1) / max(last - 1, 1)), 1) if ring else other
            for ring, own, last, wanted, other in sides
        ])  # fmt: skip
    return Frame.whole([(h, w) for h, w in stages], model.generator.border, rings)


def cut_open(picture: Tensor, rings: tuple[bool, bool]) -> Tensor:
    """Turn rings (1, C, h, w) so that they are cut where they are most ordinary.

    A ring may be cut anywhere: here where neighbours differ about as much as they do on average,
    neither along the one line that is in the picture nor where there is nothing.
    """
    for dim, ring in ((2, rings[0]), (3, rings[1])):
        if ring:
            steps = (picture - picture.roll(1, dim)).abs().mean(dim=(0, 1, 5 - dim))
            cut = int((steps - ORDINARY * steps.mean()).abs().argmin())
            picture = picture.roll(-cut, dim)
    return picture


def laid(picture: Tensor, rings: tuple[bool, bool]) -> Tensor:
    """Two of a texture (1, C, h, w) below and beside each other, along the axes that go on."""
    rows, columns = (2 if ring else 1 for ring in rings)
    return picture.repeat(1, 1, rows, columns)
