"""What harmonization and editing share: a naive picture goes through the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ConSinGAN.errors import UsageError
from ConSinGAN.tasks.base import Drawing, Task

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.model import ImageModel
    from ConSinGAN.modes.base import Mode
    from ConSinGAN.naive import Naive

LABEL = 80  # characters of the naive picture's name in those of results: names have an end


class Composite(Task):
    """With the mask and without it, beside the training picture and its reconstruction."""

    result_name: ClassVar[str] = ""  # stem of the result's file
    reads_picture = True

    def unsuited(self, mode: Mode, config: TrainConfig) -> str | None:
        if mode.default_task == self.name:
            return None
        return f"the model was trained for {mode.name}, not for composites of this kind"

    def check_flags(self, config: EvalConfig) -> None:
        super().check_flags(config)
        if config.options_of("task").naive_img is None:
            raise UsageError(f"`naive_img`: `task` {self.name} needs a naive picture to work on")

    def run(self, model: ImageModel, config: EvalConfig) -> Iterator[Drawing]:
        naive = naive_of(config, model)
        label = Path(config.options_of("task").naive_img).stem[:LABEL]
        if naive.mask is not None:
            masked = model.compose(naive.picture, naive.mask, config.seed)
            yield Drawing(f"{self.result_name}_w_mask_{label}", [masked])
        whole = model.compose(naive.picture, None, config.seed)
        yield Drawing(f"{self.result_name}_wo_mask_{label}", [whole])
        yield Drawing("real_image", [model.reals[-1]])
        yield Drawing("reconstruction", [model.reconstruct()])

    def measured(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        naive = naive_of(config, model)
        return 1, iter([model.compose(naive.picture, None, config.seed)])

    def preview(
        self, model: ImageModel, iteration: int, seed: Sequence[int], naive: Naive | None
    ) -> Iterator[Drawing]:
        if naive is None:
            return
        yield Drawing(f"{self.result_name}_{iteration}", [model.blend(naive.picture)])
        if naive.mask is not None:
            masked = model.blend(naive.picture, naive.mask)
            yield Drawing(f"{self.result_name}_w_mask_{iteration}", [masked])


def naive_of(config: EvalConfig, model: ImageModel) -> Naive:
    """The naive picture that the flags of an evaluation name."""
    from ConSinGAN.naive import load_naive

    options = config.options_of("task")
    return load_naive(
        options.naive_img, options.mask, model.config.nc_im, model.picture_shapes,
        config.max_megapixels, config.frame,
    )  # fmt: skip
