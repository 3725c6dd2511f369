"""Draw any picture in the training picture's style."""

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

TOUCH = 0.5  # how far coarse parts of a drawing are moved towards pieces of the training picture
GAIN = 1.2  # by which fine details are strengthened or weakened at most
LABEL = 80  # characters of the content's name in those of results


class Style(Task):
    """The content in the model's style, beside the content as it entered."""

    name = "style"
    summary = "draws any picture in the training picture's style"
    reads_picture = True

    def unsuited(self, mode: Mode, config: TrainConfig) -> str | None:
        if mode.takes_content:
            return None
        return f"the model was trained for {mode.name}, not to draw other pictures"

    def check_flags(self, config: EvalConfig) -> None:
        super().check_flags(config)
        if config.options_of("task").content_img is None:
            raise UsageError(f"`content_img`: `task` {self.name} needs a picture to draw")

    def check(self, model: ImageModel, config: EvalConfig) -> None:
        from ConSinGAN.tasks import _guided

        _guided.check_size(model, config.options_of("task").size)

    def run(self, model: ImageModel, config: EvalConfig) -> Iterator[Drawing]:
        options = config.options_of("task")
        content = read_content(model, config)
        label = Path(options.content_img).stem[:LABEL]
        drawn = draw_content(model, content, options.size, options.match_colours, config.seed)
        yield Drawing(f"styled_{label}", [drawn])
        yield Drawing(f"content_{label}", [matched(model, content, options.match_colours)])
        yield Drawing("real_image", [model.reals[-1]])
        yield Drawing("reconstruction", [model.reconstruct()])

    def measured(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        options, content = config.options_of("task"), read_content(model, config)
        drawn = draw_content(model, content, options.size, options.match_colours, config.seed)
        return 1, iter([drawn])

    def preview(
        self, model: ImageModel, iteration: int, seed: Sequence[int], naive: Naive | None
    ) -> Iterator[Drawing]:
        if naive is not None:
            yield Drawing(f"styled_{iteration}", [draw_content(model, naive.picture)])


def read_content(model: ImageModel, config: EvalConfig) -> Tensor:
    """The content that the flags name, (1, C, H, W) in [-1, 1]."""
    from ConSinGAN import images

    path = config.options_of("task").content_img
    return images.read_image(
        path, model.config.nc_im, "`content_img`", config.max_megapixels, config.frame
    )


def matched(model: ImageModel, content: Tensor, how: str) -> Tensor:
    """The content with the training picture's colours; see `match_colours`."""
    from ConSinGAN.pictures.oklab import match_colours

    return match_colours(content, model.reals[-1], how)


def draw_content(
    model: ImageModel, content: Tensor, size: tuple[int, int] | None = None,
    how: str = "histogram", seed: int = 0,
) -> Tensor:  # fmt: skip
    """The content in the style of the training picture: (1, C, h, w) in [-1, 1].

    content: (1, C, H, W) in [-1, 1], of any size and shape. size: (h, w); by default the model's
    longer side at the content's aspect ratio. how: see `match_colours`. Raises UsageError if that
    is too flat or too large.
    """
    from ConSinGAN.pictures import analogy
    from ConSinGAN.pyramid import size_of
    from ConSinGAN.tasks import _guided

    drawn = _guided.size_for(model, size_of(content), size, "`content_img`")
    picture = _guided.guide(model, matched(model, content, how), drawn, seed)
    return as_crisp(analogy.touch_up(picture, model.real, TOUCH), model.real)


def as_crisp(drawn: Tensor, real: Tensor) -> Tensor:
    """The drawing with the training picture's contrast in the finest details, within GAIN."""
    from ConSinGAN.metrics.patches import laplacian_pyramid

    details, wanted = (laplacian_pyramid(one, 2)[0] for one in (drawn, real))
    gain = float(wanted.std()) / max(float(details.std()), 1e-6)
    return (drawn + (min(max(gain, 1 / GAIN), GAIN) - 1) * details).clamp(-1, 1)
