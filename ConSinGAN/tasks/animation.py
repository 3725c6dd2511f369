"""Short loops from a walk through noise space (paper section 4.3)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
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
    from ConSinGAN.tasks.animation_options import Options

ALPHA = 0.1
BETAS = (0.80, 0.85, 0.90, 0.95)
NUM_STARTS = 3  # first stages that move: 0, 1, 2, as far as there are stages
PREVIEW_FRAMES = 20
PREVIEW_FPS = 10
MAX_GIF_FPS = 50
NUM_MEASURED = 50


class Animation(Task):
    """The reconstruction, and walks around it that move more or fewer stages, more or less."""

    name = "animation"
    summary = "the picture in motion"
    moves = True

    def unsuited(self, mode: Mode, config: TrainConfig) -> str | None:
        return mode.why_no_random_pictures()

    def check_flags(self, config: EvalConfig) -> None:
        super().check_flags(config)
        fps = config.options_of("task").fps
        if config.movie_format == "gif" and fps > MAX_GIF_FPS:
            raise UsageError(
                f"`fps` {fps}: a GIF cannot show more than {MAX_GIF_FPS} frames per second; give "
                f"{MAX_GIF_FPS} or fewer, or another `format`"
            )

    def run(self, model: ImageModel, config: EvalConfig) -> Iterator[Drawing]:
        options: Options = config.options_of("task")
        yield Drawing("reconstruction", [model.reconstruct()])
        for start_scale, beta in itertools.product(starts_of(model, options), betas_of(options)):
            name = f"start_scale={start_scale}_alpha={ALPHA}_beta={beta}"
            shown = partial(console.progress, what=name, total=options.num_frames, unit="frame")
            frames = model.animate(
                options.num_frames, start_scale, ALPHA, beta, config.seed, options.loop, shown
            )
            yield Drawing(name, frames, options.fps)

    def check(self, model: ImageModel, config: EvalConfig) -> None:
        start = config.options_of("task").moves_from
        if start is not None and start >= model.generator.num_stages:
            raise UsageError(
                f"`moves_from` {start}: the model has {model.generator.num_stages} stages, counted "
                "from 0"
            )

    def measured(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        """Random pictures: frames resemble each other, and metrics would take that for a fault."""
        return NUM_MEASURED, model.sample(NUM_MEASURED, config.seed)

    def preview(
        self, model: ImageModel, iteration: int, seed: Sequence[int], naive: Naive | None
    ) -> Iterator[Drawing]:
        wanted = getattr(model.config.options_of("mode"), "start_scale", 0)
        start = min(wanted, model.generator.num_stages - 1)
        yield Drawing("animation", model.animate(PREVIEW_FRAMES, start, ALPHA), PREVIEW_FPS)


def starts_of(model: ImageModel, options: Options) -> Sequence[int]:
    """First stages that move, of one animation after the other."""
    if options.moves_from is not None:
        return [options.moves_from]
    return range(min(NUM_STARTS, model.generator.num_stages))


def betas_of(options: Options) -> Sequence[float]:
    """How smooth the walks are, of one animation after the other."""
    return BETAS if options.beta is None else [options.beta]
