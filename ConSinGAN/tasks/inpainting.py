"""Draw anew what the mask of training hid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ConSinGAN import console
from ConSinGAN.errors import UsageError
from ConSinGAN.tasks.base import Drawing, Task

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.model import ImageModel
    from ConSinGAN.modes.base import Mode
    from ConSinGAN.naive import Naive
    from ConSinGAN.tasks.inpainting_options import Options


class Inpainting(Task):
    """Several fills of the hole; around it the picture stays as it is, to the byte."""

    name = "inpainting"
    summary = "fills the hole that the model was trained with, in several ways"
    defaults = {"num_samples": 8}
    references = ("reconstruction", "hole")
    compared = ("hole", "inpainted_")

    def unsuited(self, mode: Mode, config: TrainConfig) -> str | None:
        if mode.hides:
            return None
        return f"the model was trained for {mode.name}, without a hole"

    def run(self, model: ImageModel, config: EvalConfig) -> Iterator[Drawing]:
        options: Options = config.options_of("task")
        yield Drawing("reconstruction", [model.reconstruct()])
        yield Drawing("hole", [shown_hole(model)])
        drawn = fills(model, options.numbers, config.seed)
        if options.full_size:
            drawn = (at_full_size(model, picture) for picture in drawn)
        shown = console.progress(drawn, "fills", options.num_samples, "picture")
        for number, picture in zip(options.numbers, shown, strict=True):
            yield Drawing(f"inpainted_{number}", [picture])

    def measured(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        options: Options = config.options_of("task")
        drawn = fills(model, options.numbers, config.seed)
        if options.full_size:
            drawn = (at_full_size(model, picture) for picture in drawn)
        return options.num_samples, drawn

    def preview(
        self, model: ImageModel, iteration: int, seed: Sequence[int], naive: Naive | None
    ) -> Iterator[Drawing]:
        (picture,) = fills(model, range(1), seed)
        yield Drawing(f"inpainted_{iteration}", [picture])


def fills(model: ImageModel, numbers: Sequence[int], seed: int | Sequence[int]) -> Iterator[Tensor]:
    """The training picture with its hole drawn anew, (1, C, h, w), at whatever stage the model is.

    Of the endless series that a seed stands for these numbers; each is the same alone. Raises
    UsageError if the model has no hole.
    """
    from ConSinGAN.holes import inserted
    from ConSinGAN.pictures.completion import complete

    if model.holes is None:
        raise UsageError("`model_dir`: the model was trained without a hole")
    for number in numbers:
        drawn = inserted(draw_around(model, number, seed), model.real, model.hole)
        yield complete(drawn, model.real, model.hole)


def draw_around(model: ImageModel, number: int, seed: int | Sequence[int]) -> Tensor:
    """What the network makes of new noise in the hole and the reconstruction's input around it."""
    import torch

    from ConSinGAN.holes import noisy_fill
    from ConSinGAN.noise import Purpose

    noise = model.latents(Purpose.COMPOSITE, seed, number)
    noise[0] = noisy_fill(model.reals[0], model.hole_at(0), noise[0])
    for stage, fixed in enumerate(model.fixed_noise[1 : len(noise)], start=1):
        noise[stage] = torch.where(model.hole_at(stage), noise[stage], fixed)
    return model.draw(noise)


def at_full_size(model: ImageModel, picture: Tensor) -> Tensor:
    """The training picture as it was read, with a fill, enlarged, in its hole: (1, C, H, W)."""
    from ConSinGAN.holes import inserted
    from ConSinGAN.pyramid import size_of
    from ConSinGAN.resize import resize

    if model.read_picture is None or model.holes is None:
        return picture
    whole = model.read_picture()
    if whole.shape == picture.shape:
        return picture
    return inserted(resize(picture.cpu(), size=size_of(whole)), whole, model.holes.whole)


def shown_hole(model: ImageModel) -> Tensor:
    """The training picture with its hole in white."""
    import torch

    return torch.where(model.hole, torch.ones_like(model.real), model.real)
