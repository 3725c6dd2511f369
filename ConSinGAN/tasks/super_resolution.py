"""The picture, enlarged by what was learnt from its own reduced copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ConSinGAN.tasks.base import Drawing, Task

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.frame import Frame
    from ConSinGAN.model import ImageModel
    from ConSinGAN.modes.base import Mode
    from ConSinGAN.naive import Naive
    from ConSinGAN.tasks.super_resolution_options import Options

NUM_PROJECTIONS = 20
SHOWN = 250  # pixels of previews


class SuperResolution(Task):
    """The picture itself enters, as it was read; see `enlarge`."""

    name = "super_resolution"
    summary = "the picture, enlarged"
    compared = ("bicubic", "super_resolved")

    def unsuited(self, mode: Mode, config: TrainConfig) -> str | None:
        if mode.default_task == self.name:
            return None
        return f"the model was trained for {mode.name}, not to enlarge"

    def check(self, model: ImageModel, config: EvalConfig) -> None:
        from ConSinGAN import tiles

        frame = enlarging_frame(model, model.picture)
        tiles.choose_tile(model.generator, frame, config.options_of("task").tile, "`tile`")

    def run(self, model: ImageModel, config: EvalConfig) -> Iterator[Drawing]:
        options: Options = config.options_of("task")
        enlarged = enlarge(
            model, model.picture, options.self_ensemble, options.back_projection * NUM_PROJECTIONS,
            options.tile,
        )  # fmt: skip
        yield Drawing("super_resolved", [enlarged])
        yield Drawing("bicubic", [bicubic(model, model.picture)])
        yield Drawing("reconstruction", [model.reconstruct()])

    def measured(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        """The reduced picture enlarged as `run` enlarges the picture itself."""
        options: Options = config.options_of("task")
        projections = options.back_projection * NUM_PROJECTIONS
        low = model.reals[0]
        return 1, iter([enlarge(model, low, options.self_ensemble, projections, options.tile)])

    def sheet(self, model: ImageModel) -> list[Tensor]:
        """The picture, its reduced copy enlarged by bicubic interpolation, and by the model."""
        from ConSinGAN.resize import resize

        picture = enlarge(model, model.reals[0], False, NUM_PROJECTIONS)
        return [model.real, resize(model.reals[0], size=model.sizes[-1]), picture]

    def preview(
        self, model: ImageModel, iteration: int, seed: Sequence[int], naive: Naive | None
    ) -> Iterator[Drawing]:
        from ConSinGAN import images
        from ConSinGAN.resize import resize

        reconstruction = model.reconstruct()
        yield Drawing(f"reconstruction_{iteration}", [reconstruction])
        plain = resize(model.reals[0], size=model.sizes[-1])
        pictures = [middle(x) for x in (model.real, plain, reconstruction)]
        yield Drawing("sample_sheet", [images.make_sheet(pictures, 3, least=200)])


def enlarged_size(model: ImageModel, picture: Tensor) -> tuple[int, int]:
    """(h, w) of a picture when it is enlarged by the model's factor."""
    factor = model.config.options_of("mode").factor
    return round(picture.shape[2] * factor), round(picture.shape[3] * factor)


def bicubic(model: ImageModel, picture: Tensor) -> Tensor:
    """A picture (1, C, H, W) enlarged by the model's factor, by bicubic interpolation alone."""
    from ConSinGAN.resize import resize

    return resize(picture, size=enlarged_size(model, picture))


def enlarge(
    model: ImageModel, picture: Tensor, self_ensemble: bool = True,
    num_projections: int = NUM_PROJECTIONS, tile: int | None = None,
) -> Tensor:  # fmt: skip
    """A picture (1, C, H, W) in [-1, 1] enlarged by the model's factor, in [-1, 1].

    self_ensemble: the mean over the eight orientations (Timofte et al., Seven Ways to Improve
    Example-Based Single Image Super Resolution, 2016). num_projections: of `back_project`. tile:
    pixels a side of the windows that are drawn at a time; None: where the memory does not suffice
    for the whole, 0: never.
    """
    import torch

    picture = picture.to(model.device)
    total, turns = torch.zeros(()), [(k, flip) for flip in (False, True) for k in range(4)]
    turns = turns if self_ensemble else turns[:1]
    for k, flip in turns:
        turned = torch.rot90(picture.flip(3) if flip else picture, k, (2, 3))
        drawn = torch.rot90(_draw(model, turned, tile), -k, (2, 3))
        total = total.to(drawn) + (drawn.flip(3) if flip else drawn)
    return back_project(total / len(turns), picture, num_projections).clamp(-1, 1)


def enlarging_frame(model: ImageModel, picture: Tensor) -> Frame:
    """The frame in which a picture is enlarged."""
    from ConSinGAN import pyramid

    size, num_stages = pyramid.size_of(picture), len(model.sizes)
    sizes = pyramid.sizes_between(size, enlarged_size(model, picture), num_stages)
    return model.generator.frame(sizes)


def _draw(model: ImageModel, picture: Tensor, tile: int | None) -> Tensor:
    from ConSinGAN import latents, tiles

    generator, frame = model.generator, enlarging_frame(model, picture)

    def entering(part: Frame) -> list[Tensor]:
        shapes = generator.noise_shapes(part)[1:]
        return [latents.cut(picture, part.places[0]), *map(picture.new_zeros, shapes)]

    tile = tiles.choose_tile(generator, frame, tile)
    return model.drawing(entering, frame, tile, "super-resolution").tensor()


def back_project(enlarged: Tensor, picture: Tensor, num: int) -> Tensor:
    """Add, `num` times, what the enlarged picture lacks, when it is reduced, of the picture.

    Irani and Peleg, Improving Resolution by Image Registration (1991); antialiased bicubic
    reduction and bicubic enlargement. Nothing is clamped.
    """
    from ConSinGAN import pyramid
    from ConSinGAN.resize import resize

    small, large = pyramid.size_of(picture), pyramid.size_of(enlarged)
    for _ in range(num):
        error = picture - resize(enlarged, size=small, clamp=False)
        enlarged = enlarged + resize(error, size=large, clamp=False)
    return enlarged


def middle(picture: Tensor, side: int = SHOWN) -> Tensor:
    """The middle of a picture, at most `side` pixels a side."""
    top, left = (max((n - side) // 2, 0) for n in picture.shape[2:])
    return picture[..., top : top + side, left : left + side]
