"""Draw any picture in the training picture's style."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ConSinGAN.errors import UsageError
from ConSinGAN.tasks._tiling import check_tiled, whole
from ConSinGAN.tasks.base import Drawing, Task

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.frame import Size, Window
    from ConSinGAN.model import ImageModel
    from ConSinGAN.modes.base import Mode
    from ConSinGAN.naive import Naive
    from ConSinGAN.tasks.style_options import Options
    from ConSinGAN.tiles import TiledPicture

TOUCH = 0.5  # how far coarse parts of a drawing are moved towards pieces of the training picture
GAIN = 1.2  # by which fine details are strengthened or weakened at most
REACH = 5  # pixels around one that decide what its fine details are; even ones count together
LABEL = 80  # characters of the content's name in those of results


class Style(Task):
    """The content in the model's style, beside the content as it entered."""

    name = "style"
    summary = "draws any picture in the training picture's style"
    compared = ("content_", "styled_")
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
        size = config.options_of("task").size
        if size is not None:  # else the content decides
            check_size(model, size, config)

    def run(self, model: ImageModel, config: EvalConfig) -> Iterator[Drawing]:
        from ConSinGAN.pyramid import size_of

        options: Options = config.options_of("task")
        content = read_content(model, config)
        check_size(model, size_of(content), config)
        label = Path(str(options.content_img)).stem[:LABEL]
        yield Drawing(f"styled_{label}", [styled(model, content, config)])
        yield Drawing(f"content_{label}", [matched(model, content, options.match_colours)])
        yield Drawing("real_image", [model.reals[-1]])
        yield Drawing("reconstruction", [model.reconstruct()])

    def measured(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        return 1, iter([whole(styled(model, read_content(model, config), config))])

    def preview(
        self, model: ImageModel, iteration: int, seed: Sequence[int], naive: Naive | None
    ) -> Iterator[Drawing]:
        if naive is not None:
            yield Drawing(f"styled_{iteration}", [draw_content(model, naive.picture, tile=0)])


def check_size(model: ImageModel, content: Size, config: EvalConfig) -> None:
    """Raise UsageError, naming the flag, if a content of (H, W) cannot be drawn or written."""
    from ConSinGAN.tasks import _guided

    options: Options = config.options_of("task")
    if _guided.frame_for(model, content, options.size, "`content_img`", options.tile)[1]:
        check_tiled(config)


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


def styled(model: ImageModel, content: Tensor, config: EvalConfig) -> Tensor | TiledPicture:
    """`draw_content` as the flags want it."""
    options: Options = config.options_of("task")
    how, size = options.match_colours, options.size
    return draw_content(model, content, size, how, config.seed, options.tile)


def draw_content(
    model: ImageModel, content: Tensor, size: Size | None = None, how: str = "histogram",
    seed: int = 0, tile: int | None = None,
) -> Tensor | TiledPicture:  # fmt: skip
    """The content in the style of the training picture: (1, C, h, w) in [-1, 1].

    content: (1, C, H, W) in [-1, 1], of any size and shape. size: (h, w); by default the model's
    longer side at the content's aspect ratio. how: see `match_colours`. tile: see `_tile_options`.
    Raises UsageError if that is too flat or too large.
    """
    from ConSinGAN.pyramid import size_of
    from ConSinGAN.tasks import _guided

    frame, side = _guided.frame_for(model, size_of(content), size, "`content_img`", tile)
    drawn = _guided.guide(model, matched(model, content, how), frame, seed, side)
    drawn = as_crisp(_guided.touch_up(drawn, model.real, TOUCH), model.real)
    return drawn if side else drawn.tensor()


def as_crisp(drawn: TiledPicture, real: Tensor) -> TiledPicture:
    """The drawing with the training picture's contrast in the finest details, within GAIN.

    Of large drawings that contrast is measured in parts: see `probes`.
    """
    import torch

    from ConSinGAN.metrics.patches import laplacian_pyramid
    from ConSinGAN.tiles import probes

    drawn = drawn.at_hand()
    wanted = float(laplacian_pyramid(real, 2)[0].std())

    def details(window: Window, there: Window, pixels: Tensor) -> Tensor:
        odd = there.top - drawn.area.top & 1, there.left - drawn.area.left & 1
        rows, columns = window.moved(-odd[0], -odd[1]).cut(there)
        return laplacian_pyramid(pixels[..., odd[0] :, odd[1] :], 2)[0][..., rows, columns]

    @cache
    def gain() -> float:
        fine = drawn.near(REACH, details)
        parts = [fine.paint(window).double().flatten() for window in probes(drawn.area)]
        return min(max(wanted / max(float(torch.cat(parts).std()), 1e-6), 1 / GAIN), GAIN)

    def crisp(window: Window, there: Window, pixels: Tensor) -> Tensor:
        rows, columns = window.cut(there)
        added = (gain() - 1) * details(window, there, pixels)
        return (pixels[..., rows, columns] + added).clamp(-1, 1)

    return drawn.near(REACH, crisp).after(gain)
