"""The picture goes on beyond its edges, each time another way."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from ConSinGAN import console
from ConSinGAN.errors import UsageError
from ConSinGAN.tasks.base import Drawing, Task

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.frame import Frame
    from ConSinGAN.model import ImageModel
    from ConSinGAN.modes.base import Mode
    from ConSinGAN.tasks.outpainting_options import Options

Extent = tuple[int, int, int, int]  # pixels above, right, below, left


class Outpainting(Task):
    """Known pixels stay; what is around them is drawn anew."""

    name = "outpainting"
    summary = "the picture goes on beyond its edges"
    defaults = {"num_samples": 4}

    def unsuited(self, mode: Mode, config: TrainConfig) -> str | None:
        return mode.why_no_random_pictures()

    def check_flags(self, config: EvalConfig) -> None:
        super().check_flags(config)
        extend = config.options_of("task").extend
        if extend is None:
            raise UsageError("`extend`: say how far to go on: TOP RIGHT BOTTOM LEFT, in pixels")
        if not any(extend):
            raise UsageError("`extend` 0 0 0 0: at least one side must grow")

    def check(self, model: ImageModel, config: EvalConfig) -> None:
        check_extent(model, config.options_of("task").extend)

    def run(self, model: ImageModel, config: EvalConfig) -> Iterator[Drawing]:
        options: Options = config.options_of("task")
        assert options.extend is not None
        pictures = extensions(model, options.extend, options.num_samples, config.seed)
        shown = console.progress(pictures, self.name, options.num_samples, "picture")
        for index, picture in enumerate(shown):
            yield Drawing(f"outpainted_{index}", [picture])

    def measured(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        options: Options = config.options_of("task")
        assert options.extend is not None
        num = options.num_samples
        return num, extensions(model, options.extend, num, config.seed)


def check_extent(model: ImageModel, extend: Extent) -> None:
    """Raise UsageError if such a canvas does not fit into memory."""
    from ConSinGAN.tiles import check_fits

    height, width = model.sizes[-1]
    size = height + extend[0] + extend[2], width + extend[1] + extend[3]
    check_fits(model.generator, size, "`extend`")


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


def extensions(model: ImageModel, extend: Extent, num: int, seed: int) -> Iterator[Tensor]:
    """Pictures (1, C, H, W) in [-1, 1] that go on `extend` pixels beyond the training picture."""
    from ConSinGAN.tasks import _surroundings

    top, right, bottom, left = extend
    frame, picture, margins = canvas(model, extend), model.real.cpu(), (top, bottom, left, right)
    for number in range(num):
        drawn = model.draw(latents(model, frame, seed, number), frame).float().cpu()
        drawn = _surroundings.mend(drawn.clamp(-1, 1), picture, margins)
        yield _surroundings.join(drawn, picture, margins)


def latents(model: ImageModel, frame: Frame, seed: int, number: int) -> list[Tensor]:
    """The anchor where the picture is, noise of the field around it.

    Where the anchor's first map is the small picture, so is what surrounds it: a layout made of its
    patches, which the noise decides.
    """
    import torch

    from ConSinGAN.noise import DrawingStreams, Purpose
    from ConSinGAN.tasks import _surroundings

    field, native = DrawingStreams(Purpose.EXTENSION, seed, number, model.device).noise, model.frame
    generator, maps = model.generator, []
    for stage, known in enumerate(model.fixed_noise):
        window, own = (generator.noise_window(stage, f) for f in (frame, native))
        noise = field.maps(stage, generator.noise_channels(stage), window, generator.dtype)
        top, left = own.top - window.top, own.left - window.left
        if stage == 0 and torch.equal(known, model.reals[0]):
            below = window.height - top - own.height
            margins = (top, below, left, window.width - left - own.width)
            noise = _surroundings.surround(known.cpu().float(), margins, noise.cpu().float())
        else:
            noise[..., top : top + own.height, left : left + own.width] = known
        maps.append(noise.to(model.device))
    return maps
