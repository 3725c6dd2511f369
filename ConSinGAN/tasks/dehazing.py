"""The picture without its haze."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ConSinGAN.tasks.base import Drawing, Task

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.model import ImageModel
    from ConSinGAN.modes.base import Mode
    from ConSinGAN.naive import Naive


class Dehazing(Task):
    """The picture itself enters, as it was read; see `clear`."""

    name = "dehazing"
    summary = "the picture without its haze"
    compared = ("dark_channel_prior", "dehazed")

    def unsuited(self, mode: Mode, config: TrainConfig) -> str | None:
        if mode.default_task == self.name:
            return None
        return f"the model was trained for {mode.name}, not to remove haze"

    def check(self, model: ImageModel, config: EvalConfig) -> None:
        from ConSinGAN.pyramid import size_of
        from ConSinGAN.tiles import check_fits

        check_fits(model.generator, size_of(model.picture), "`model_dir`")

    def run(self, model: ImageModel, config: EvalConfig) -> Iterator[Drawing]:
        yield Drawing("dehazed", [clear(model, model.picture)])
        yield Drawing("dark_channel_prior", [dark_channel_prior(model.picture)])
        yield Drawing("reconstruction", [model.reconstruct()])

    def measured(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        return 1, iter([clear(model, model.reals[-1])])

    def sheet(self, model: ImageModel) -> list[Tensor]:
        """The picture, cleared by the dark channel prior, and by the model."""
        picture = model.reals[-1]
        return [picture, dark_channel_prior(picture), clear(model, picture)]

    def preview(
        self, model: ImageModel, iteration: int, seed: Sequence[int], naive: Naive | None
    ) -> Iterator[Drawing]:
        from ConSinGAN import images

        cleared = clear(model, model.reals[-1])
        yield Drawing(f"reconstruction_{iteration}", [cleared])
        yield Drawing("sample_sheet", [images.make_sheet([model.reals[-1], cleared], 2, least=200)])


def clear(model: ImageModel, picture: Tensor) -> Tensor:
    """A picture (1, C, H, W) in [-1, 1] as the model sees it without haze, in [-1, 1]."""
    from ConSinGAN.pyramid import size_of

    picture = picture.to(model.device)
    frame = model.generator.frame([size_of(picture)] * model.generator.num_stages)
    shapes = model.generator.noise_shapes(frame)
    noise = [picture, *(picture.new_zeros(shape) for shape in shapes[1:])]
    return model.draw(noise, frame).clamp(-1, 1)


def dark_channel_prior(picture: Tensor) -> Tensor:
    """The same without a model, see `pictures.haze`."""
    import torch

    from ConSinGAN.pictures import haze

    pixels = (picture[0].permute(1, 2, 0).cpu().double().numpy() + 1) / 2
    cleared = torch.from_numpy(haze.dark_channel_prior(pixels)).float()
    return cleared.permute(2, 0, 1)[None] * 2 - 1
