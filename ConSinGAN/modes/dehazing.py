"""Dehazing: new haze is put on the picture and its removal is learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ConSinGAN.modes.base import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.noise import Streams
    from ConSinGAN.pyramid import Size


class Dehazing(Mode):
    """All stages have the picture's size: haze is undone where it is.

    The network learns to bring crops with synthetic haze back to the picture as the dark channel
    prior cleared it; then the picture itself enters.
    """

    name = "dehazing"
    summary = "removes haze from the picture"
    defaults = {
        "generator": "residual",
        "train_stages": 2,
        "min_size": 11,
        "max_size": 100_000,
        "niter": 1000,
        "Gsteps": 1,
        "Dsteps": 1,
        "lr_scale": 1.0,
        "noise_amp": 0.0,
    }
    drafts = ({"niter": 100}, {"niter": 300})
    method = "paired"
    source = "hazed"
    default_task = "dehazing"
    previews = ("dehazing",)

    def stage_sizes(self, size: Size, config: TrainConfig) -> list[Size]:
        from ConSinGAN import pyramid

        finest = super().stage_sizes(size, config)[-1]
        return pyramid.sizes_between(finest, finest, config.train_stages)

    def make_pyramid(self, picture: Tensor, config: TrainConfig) -> list[Tensor]:
        finest = super().make_pyramid(picture, config)[-1]
        return [finest.clone() for _ in range(config.train_stages)]

    def trained_sizes(self, sizes: Sequence[Size], config: TrainConfig) -> list[Size]:
        crop = config.options_of("mode").crop
        return [(min(height, crop), min(width, crop)) for height, width in sizes]

    def adversarial_weight(self, config: TrainConfig, stage: int) -> float:
        return 0.0

    def draw_input(self, real: Tensor, streams: Streams) -> Tensor:
        return real

    def why_no_random_pictures(self) -> str | None:
        return f"the model was trained for {self.name}, and clears what it is given"
