"""Animation: short loops from a walk through noise space (paper section 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ConSinGAN.modes.base import Mode

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.noise import Streams


class Animation(Mode):
    """As generation, but the reconstruction too starts from noise, around which the walk goes."""

    name = "animation"
    summary = "GIFs that move the picture"
    defaults = {"min_size": 20, "input_name": "Images/Animation/deep_field.jpg"}
    border = "noise"
    default_task = "animation"
    previews = ("samples", "animation")

    def fixed_input(self, real: Tensor, streams: Streams) -> Tensor:
        from ConSinGAN.noise import draw

        return draw(real.shape, streams.noise)
