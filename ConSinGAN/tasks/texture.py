"""Seamless textures: pictures that go on at their other side, and can be laid like tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ConSinGAN import console
from ConSinGAN.tasks._tiling import check_tiled, tile_for, whole
from ConSinGAN.tasks.base import Drawing, Task

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.frame import Frame, Window
    from ConSinGAN.model import ImageModel
    from ConSinGAN.modes.base import Mode
    from ConSinGAN.tasks.texture_options import Options
    from ConSinGAN.tiles import TiledPicture

Size = tuple[int, int]  # (h, w)
# Which axes are rings: rows (the lower edge goes on at the upper one), columns.
RINGS = {"both": (True, True), "horizontal": (False, True), "vertical": (True, False)}
ORDINARY = 0.95  # of the mean difference of neighbours; what is at the cut
BANDS, LINES = 4, 64  # where a cut is looked for along a long side, and how many lines each
SHOWN = 4000  # pixels of the longer side; what is larger is not drawn again to be laid out
SMALL = 500  # likewise, of what is laid out if it was drawn in tiles


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
            if isinstance(picture, TiledPicture):
                if max(picture.size) > SHOWN:
                    continue
                scale = min(1.0, SMALL / max(picture.size))
                height, width = (max(round(side * scale), 1) for side in picture.size)
                picture = picture.reduced((height, width)).tensor()
            yield Drawing(f"texture_{number}_laid", [laid(picture, rings)])

    def measured(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        options: Options = config.options_of("task")
        num, rings = options.num_samples, RINGS[options.wrap]
        drawn = textures(model, options.size, rings, options.numbers, config.seed, options.tile)
        return num, (whole(picture) for picture in drawn)


def textures(
    model: ImageModel, size: Size | None, rings: tuple[bool, bool], numbers: Sequence[int],
    seed: int, tile: int | None = None,
) -> Iterator[Tensor | TiledPicture]:  # fmt: skip
    """Random pictures (1, C, h, w) in [-1, 1] whose rows, columns or both are rings.

    size: (h, w) in pixels; None: as large as the training picture. numbers: of the endless series
    that the seed stands for. tile: see `_tile_options`.
    """
    from ConSinGAN.noise import Purpose

    frame = ring_frame(model, size or model.sizes[-1], rings)
    side = tile_for(model, frame, tile)
    for number in numbers:
        latents = model.random_latents(Purpose.TEXTURE, seed, number)
        drawn = cut_open(model.drawing(latents, frame, side, f"texture {number}"), rings)
        yield drawn if side else drawn.tensor()


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


def cut_open(picture: TiledPicture, rings: tuple[bool, bool]) -> TiledPicture:
    """Turn rings so that they are cut where they are most ordinary.

    A ring may be cut anywhere: here where neighbours differ about as much as they do on average,
    neither along the one line that is in the picture nor where there is nothing.
    """
    picture = picture.at_hand()
    cuts: list[int] = []

    def look() -> None:
        if not cuts:
            cuts.extend(_ordinary(picture, axis) if ring else 0 for axis, ring in enumerate(rings))

    def paint(window: Window) -> Tensor:
        return _around(picture, window.moved(*cuts))

    return replace(picture.after(look), paint=paint)


def _around(picture: TiledPicture, window: Window) -> Tensor:
    """A window of a ring, which may go on past the ends."""
    import torch

    from ConSinGAN.frame import Window

    height, width = picture.size
    columns = list(_pieces(window.left, window.width, width))
    rows = [
        torch.cat([picture.paint(Window(top, left, h, w)) for left, w in columns], dim=3)
        for top, h in _pieces(window.top, window.height, height)
    ]
    return torch.cat(rows, dim=2)


def _pieces(first: int, num: int, total: int) -> Iterator[tuple[int, int]]:
    """Where, and how long, the parts are of a piece of a ring's axis."""
    while num:
        first %= total
        part = min(num, total - first)
        yield first, part
        first, num = first + part, num - part


def _ordinary(picture: TiledPicture, axis: int) -> int:
    """The row, or column, that differs most ordinarily from the one before.

    Of all, or of those of a few bands of a long side: the same ones in tiles and whole.
    """
    import torch

    total = picture.size[axis]
    bands = [(0, total)]
    if total > BANDS * LINES:
        bands = [(total * band // BANDS, LINES) for band in range(BANDS)]
    lines = [line for first, num in bands for line in range(first, first + num)]
    steps = torch.cat([_steps(picture, axis, *band) for band in bands])
    return lines[int((steps - ORDINARY * steps.mean()).abs().argmin())]


def _steps(picture: TiledPicture, axis: int, first: int, num: int) -> Tensor:
    """Mean absolute differences of `num` lines, the first on, from those before them, (num,)."""
    from ConSinGAN.frame import Window

    across = picture.size[1 - axis]
    total: float | Tensor = 0.0
    for start in range(0, across, picture.tile):
        length = min(picture.tile, across - start)
        band = Window(first - 1, start, num + 1, length)
        if axis:
            band = Window(start, first - 1, length, num + 1)
        steps = _around(picture, band).double().diff(dim=2 + axis).abs().mean((0, 1))
        total = total + steps.sum(1 - axis).cpu()
    assert not isinstance(total, float)
    return total / across


def laid(picture: Tensor, rings: tuple[bool, bool]) -> Tensor:
    """Two of a texture (1, C, h, w) below and beside each other, along the axes that go on."""
    rows, columns = (2 if ring else 1 for ring in rings)
    return picture.repeat(1, 1, rows, columns)
