"""Animation: short loops from a walk through noise space (paper section 4.3)."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ConSinGAN import console
from ConSinGAN.modes.base import Lazy, Mode, Naive, images, noise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.noise import Streams
    from ConSinGAN.results import Results
    from ConSinGAN.sampling import ImageModel

gif = Lazy("ConSinGAN.pictures.gif")

ALPHA = 0.1
BETAS = (0.80, 0.85, 0.90, 0.95)
NUM_STARTS = 3  # first stages that move: 0, 1, 2, as far as there are stages
PREVIEW_FRAMES = 20


class Animation(Mode):
    """As generation, but the reconstruction too starts from noise, around which the walk goes."""

    name = "animation"
    summary = "GIFs that move the picture"
    defaults = {"min_size": 20, "input_name": "Images/Animation/deep_field.jpg"}
    border = "noise"
    animated = True

    def fixed_input(self, real: Tensor, streams: Streams) -> Tensor:
        return noise.draw(real.shape, streams.noise)

    def preview(
        self, model: ImageModel, folder: Path, iteration: int, seed: Sequence[int],
        naive: Naive | None = None,
    ) -> None:  # fmt: skip
        super().preview(model, folder, iteration, seed)
        start = min(model.config.start_scale, model.generator.num_stages - 1)
        frames = list(model.animate(PREVIEW_FRAMES, start, ALPHA))
        gif.save_gif(frames, folder / "animation.gif", fps=10)

    def evaluate(self, model: ImageModel, config: EvalConfig, results: Results) -> None:
        with results:
            path = results.path(f"reconstruction.{config.format}")
            images.save_image(model.reconstruct(), path)
            starts = range(min(NUM_STARTS, model.generator.num_stages))
            for start_scale, beta in itertools.product(starts, BETAS):
                name = f"start_scale={start_scale}_alpha={ALPHA}_beta={beta}.gif"
                shown = partial(console.progress, what=name, total=config.num_frames, unit="frame")
                frames = model.animate(
                    config.num_frames, start_scale, ALPHA, beta, config.seed, config.loop, shown
                )
                gif.save_gif(list(frames), results.path(name), config.fps)
