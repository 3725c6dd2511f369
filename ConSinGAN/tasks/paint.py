"""Turn a painting in few colours into a picture of the training picture's world."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ConSinGAN.errors import UsageError
from ConSinGAN.tasks.base import Drawing, Task

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.model import ImageModel
    from ConSinGAN.modes.base import Mode
    from ConSinGAN.naive import Naive

TOUCH = 0.95  # how far coarse parts of a drawing are moved towards pieces of the training picture
LABEL = 80  # characters of the painting's name in those of results


class Paint(Task):
    """The picture, beside the painting as it was understood."""

    name = "paint"
    summary = "turns a painting in few colours into a picture like the training picture"
    compared = ("painting_", "painted_")
    reads_picture = True
    paints = True

    def unsuited(self, mode: Mode, config: TrainConfig) -> str | None:
        if mode.default_task == self.name:
            return None
        return f"the model was trained for {mode.name}, not for paintings"

    def check_flags(self, config: EvalConfig) -> None:
        super().check_flags(config)
        if config.options_of("task").naive_img is None:
            raise UsageError(f"`naive_img`: `task` {self.name} needs a painting")

    def check(self, model: ImageModel, config: EvalConfig) -> None:
        from ConSinGAN.tasks import _guided

        size = config.options_of("task").size
        if size is not None:  # else the painting decides
            _guided.frame_for(model, size, size, "`size`")

    def run(self, model: ImageModel, config: EvalConfig) -> Iterator[Drawing]:
        options = config.options_of("task")
        painting = read_painting(model, config)
        understood = snapped(model, painting)
        label = Path(options.naive_img).stem[:LABEL]
        yield Drawing(f"painted_{label}", [paint(model, painting, options.size, config.seed)])
        yield Drawing(f"painting_{label}", [understood])
        yield Drawing("real_image", [model.reals[-1]])
        yield Drawing("reconstruction", [model.reconstruct()])

    def measured(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        painting = read_painting(model, config)
        return 1, iter([paint(model, painting, config.options_of("task").size, config.seed)])

    def preview(
        self, model: ImageModel, iteration: int, seed: Sequence[int], naive: Naive | None
    ) -> Iterator[Drawing]:
        if naive is not None:
            yield Drawing(f"painted_{iteration}", [paint(model, naive.picture)])


def read_painting(model: ImageModel, config: EvalConfig) -> Tensor:
    """The painting that the flags name, (1, C, H, W) in [-1, 1]."""
    from ConSinGAN import images

    path = config.options_of("task").naive_img
    return images.read_image(
        path, model.config.nc_im, "`naive_img`", config.max_megapixels, config.frame
    )


def snapped(model: ImageModel, painting: Tensor) -> Tensor:
    """The painting in the colours that the model was trained with."""
    from ConSinGAN.pictures import palette

    colours = palette.make_palette(model.reals[0], model.config.options_of("mode").paint_colours)
    return palette.snap(painting, colours)


def paint(
    model: ImageModel, painting: Tensor, size: tuple[int, int] | None = None, seed: int = 0
) -> Tensor:
    """What a model of mode paint makes of a painting: (1, C, h, w) in [-1, 1].

    painting: (1, C, H, W) in [-1, 1], of any size and shape; it enters in pieces of the training
    picture, which the drawing is touched up with. size: (h, w); by default the model's
    longer side at the painting's aspect ratio. Raises UsageError if that is too flat or too large.
    """
    import torch

    from ConSinGAN.pictures import analogy
    from ConSinGAN.pyramid import size_of
    from ConSinGAN.tasks import _guided

    frame, _ = _guided.frame_for(model, size_of(painting), size, "`naive_img`")
    coarsest, colours = (
        model.sizes_for(frame.size)[0],
        model.config.options_of("mode").paint_colours,
    )
    pieces = analogy.translate(painting, model.reals[0], colours, coarsest)
    picture = _guided.guide(model, pieces, frame, seed).at_hand()
    # Large pieces hold together, small ones, of which mostly the middle counts, are sharp.
    large = _guided.touch_up(picture, model.real, 1.0, (30, 42, 60, 100), rounds=5, patch=9)
    sharp = _guided.touch_up(large, model.real, 1.0, (100,), rounds=4, patch=7, centre=1.5)
    return torch.lerp(picture.tensor(), sharp.tensor(), TOUCH)
