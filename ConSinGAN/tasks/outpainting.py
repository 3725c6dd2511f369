"""The picture goes on beyond its edges, each time another way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

from ConSinGAN import console
from ConSinGAN.errors import UsageError
from ConSinGAN.tasks._tiling import check_tiled, tile_for, whole
from ConSinGAN.tasks.base import Drawing, Task

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.frame import Frame
    from ConSinGAN.latents import Latents
    from ConSinGAN.model import ImageModel
    from ConSinGAN.modes.base import Mode
    from ConSinGAN.tasks.outpainting_options import Options
    from ConSinGAN.tiles import TiledPicture

Extent = tuple[int, int, int, int]  # pixels above, right, below, left


class Outpainting(Task):
    """Known pixels stay; what is around them is drawn anew."""

    name = "outpainting"
    summary = "the picture goes on beyond its edges"
    defaults = {"num_samples": 4}

    def unsuited(self, mode: Mode, config: TrainConfig) -> str | None:
        if mode.hides:
            return f"the model was trained for {mode.name}, and what its hole hides is not known"
        return mode.why_no_random_pictures()

    def check_flags(self, config: EvalConfig) -> None:
        super().check_flags(config)
        extend = config.options_of("task").extend
        if extend is None:
            raise UsageError("`extend`: say how far to go on: TOP RIGHT BOTTOM LEFT, in pixels")
        if not any(extend):
            raise UsageError("`extend` 0 0 0 0: at least one side must grow")

    def check(self, model: ImageModel, config: EvalConfig) -> None:
        options: Options = config.options_of("task")
        assert options.extend is not None
        if tile_for(model, canvas(model, options.extend), options.tile, "`extend`"):
            check_tiled(config)

    def run(self, model: ImageModel, config: EvalConfig) -> Iterator[Drawing]:
        options: Options = config.options_of("task")
        assert options.extend is not None
        pictures = extensions(model, options.extend, options.numbers, config.seed, options.tile)
        shown = console.progress(pictures, self.name, options.num_samples, "picture")
        for number, picture in zip(options.numbers, shown, strict=True):
            yield Drawing(f"outpainted_{number}", [picture])

    def measured(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        options: Options = config.options_of("task")
        assert options.extend is not None
        num = options.num_samples
        drawn = extensions(model, options.extend, options.numbers, config.seed, options.tile)
        return num, map(whole, drawn)


def canvas(model: ImageModel, extend: Extent) -> Frame:
    """The frame that goes on around the picture, which keeps its sampling positions."""
    from ConSinGAN.frame import Frame

    (height, width), (top, right, bottom, left) = model.sizes[-1], extend
    margins = (
        Fraction(top, height),
        Fraction(bottom, height),
        Fraction(left, width),
        Fraction(right, width),
    )
    return Frame.around(model.sizes, margins, model.generator.border)


def extensions(
    model: ImageModel, extend: Extent, numbers: Sequence[int], seed: int, tile: int | None = None
) -> Iterator[Tensor | TiledPicture]:
    """Pictures (1, C, H, W) in [-1, 1] that go on `extend` pixels beyond the training picture.

    numbers: of the endless series that the seed stands for. tile: see `_tile_options`.
    """
    from ConSinGAN.tasks import _surroundings

    frame, picture = canvas(model, extend), model.real.cpu()
    side = tile_for(model, frame, tile, "`extend`")
    for number in numbers:
        entering = latents(model, frame, seed, number)
        drawn = model.drawing(entering, frame, side, f"{Outpainting.name} {number}")
        drawn = drawn.then(lambda window, pixels: pixels.float().cpu())
        drawn = _surroundings.join(_surroundings.mend(drawn, picture), picture)
        yield drawn if side else drawn.tensor()


def latents(model: ImageModel, frame: Frame, seed: int, number: int) -> Latents:
    """The anchor where the picture is, noise of the field around it; of all the frame or a part.

    Where the anchor's first map is the small picture, so is what surrounds it: a layout made of its
    patches, which the noise decides.
    """
    import torch

    from ConSinGAN.frame import Window
    from ConSinGAN.latents import cut, noise_of, put
    from ConSinGAN.noise import DrawingStreams, Purpose
    from ConSinGAN.tasks import _surroundings

    field, native = DrawingStreams(Purpose.EXTENSION, seed, number, model.device).noise, model.frame
    generator = model.generator

    @cache
    def layout() -> Tensor:
        noise = noise_of(generator, field, frame, 0).cpu().float()
        known = model.fixed_noise[0].cpu().float()
        height, width = known.shape[2:]
        top, left, tall, wide = Window.all(frame.places[0])
        margins = -top, top + tall - height, -left, left + wide - width
        return _surroundings.surround(known, margins, noise).to(model.device)

    def entering(part: Frame) -> list[Tensor]:
        maps = []
        for stage in range(part.num_stages):
            if stage == 0 and torch.equal(model.fixed_noise[0], model.reals[0]):
                maps.append(cut(layout(), part.places[0]))
                continue
            noise = noise_of(generator, field, part, stage)
            there, own = (generator.noise_window(stage, f) for f in (part, native))
            maps.append(put(noise, there, model.fixed_noise[stage], own))
        return maps

    return entering
