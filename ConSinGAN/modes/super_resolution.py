"""Super-resolution: what is lost when the picture is reduced, learnt from the picture itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ConSinGAN.errors import UsageError
from ConSinGAN.modes.base import Mode
from ConSinGAN.modes.super_resolution_options import Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.noise import Streams
    from ConSinGAN.pyramid import Size

FAITHFUL = 2.5  # up to this factor what was lost can be computed, beyond it has to be made up
ADVERSARIAL = 1.0  # weight from there on


class SuperResolution(Mode):
    """Stage 0 gets the picture reduced by the factor, the last stage is the picture itself.

    What is learnt there is applied to the picture itself afterwards (Shocher et al., "Zero-Shot"
    Super-Resolution using Deep Internal Learning, 2018).
    """

    name = "super_resolution"
    summary = "enlarges the picture"
    defaults = {
        "generator": "residual",
        "train_stages": 3,
        "min_size": 11,
        "max_size": 100_000,
        "niter": 3000,
        "Gsteps": 1,
        "Dsteps": 1,
        "lr_scale": 1.0,
        "noise_amp": 0.0,
    }
    drafts = ({"niter": 300}, {"niter": 600}, {"niter": 1200})
    method = "paired"
    source = "crops"
    default_task = "super_resolution"
    previews = ("super_resolution",)

    def validate(self, config: TrainConfig) -> None:
        factor, crop = _options(config).factor, _options(config).crop
        side = round(int(crop / factor) * factor)  # as `pyramid.crop_sizes` has it
        judged = self.adversarial_weight(config, config.train_stages - 1)
        if judged and side < config.critic_field:
            raise UsageError(
                f"`crop` {crop}: the critic sees {config.critic_field} pixels at once, and crops "
                f"are {side} wide; take larger ones"
            )

    def stage_sizes(self, size: Size, config: TrainConfig) -> list[Size]:
        """As the base class says. Raises UsageError if the reduced picture is too small."""
        from ConSinGAN import pyramid

        factor = _options(config).factor
        finest = pyramid.scaled_size(size, pyramid.finest_scale(size, config.max_size))
        coarsest = round(finest[0] / factor), round(finest[1] / factor)
        least = max(config.min_size, config.critic_field)
        if min(coarsest) < least:
            raise UsageError(
                f"`factor` {factor:g}: the picture of {finest[1]}x{finest[0]} pixels, reduced by "
                f"it, has only {coarsest[1]}x{coarsest[0]}, and its shorter side must have {least}"
                "; take a smaller factor or a larger picture"
            )
        return pyramid.sizes_between(coarsest, finest, config.train_stages)

    def make_pyramid(self, picture: Tensor, config: TrainConfig) -> list[Tensor]:
        from ConSinGAN import pyramid
        from ConSinGAN.resize import resize

        size = pyramid.size_of(picture)
        sizes = self.stage_sizes(size, config)
        finest = resize(picture, scale=pyramid.finest_scale(size, config.max_size))
        return [*(resize(finest, size=size) for size in sizes[:-1]), finest]

    def trained_sizes(self, sizes: Sequence[Size], config: TrainConfig) -> list[Size]:
        from ConSinGAN import pyramid

        low, high = pyramid.crop_sizes(sizes[-1], _options(config).factor, _options(config).crop)
        return pyramid.sizes_between(low, high, len(sizes))

    def adversarial_weight(self, config: TrainConfig, stage: int) -> float:
        if stage < config.train_stages - 1:
            return 0.0
        chosen = _options(config).adversarial
        if chosen is None:
            chosen = ADVERSARIAL if _options(config).factor > FAITHFUL else 0.0
        return chosen

    def draw_input(self, real: Tensor, streams: Streams) -> Tensor:
        return real

    def why_no_random_pictures(self) -> str | None:
        return f"the model was trained for {self.name}, and enlarges what it is given"


def _options(config: TrainConfig) -> Options:
    return config.options_of("mode")
