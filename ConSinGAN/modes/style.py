"""Style: models that draw other pictures in the training picture's style."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ConSinGAN.modes.guided import Guided

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.augment import Dice
    from ConSinGAN.noise import Streams


class Style(Guided):
    """Learns to draw the picture from a smoothed one, whose parts lie elsewhere every time.

    Its first stage is smaller than that of harmonization, so that the network sees, and draws anew,
    more than strokes.
    """

    name = "style"
    summary = "draws other pictures in the style of this one"
    defaults = {
        "input_name": "Images/Harmonization/ink_palace.jpg",
        "train_stages": 3,
        "min_size": 100,
        "lrelu_alpha": 0.3,
        "niter": 1000,
        "batch_norm": True,
    }
    drafts = (
        {"max_size": 100, "min_size": 40, "niter": 150, "Dsteps": 1},
        {"max_size": 130, "min_size": 60, "niter": 250, "Dsteps": 1},
        {"max_size": 170, "min_size": 80, "niter": 400, "Dsteps": 1},
    )
    default_task = "style"
    previews = ("samples", "style")
    takes_content = True

    def spacing(self, factor: float, num_stages: int) -> list[float]:
        from ConSinGAN import pyramid

        return pyramid.geometric_scales(factor, num_stages)

    def fixed_input(self, real: Tensor, streams: Streams) -> Tensor:
        from ConSinGAN.pictures import simplify

        return simplify.smooth(real)

    def spoil(self, real: Tensor, dice: Dice) -> Tensor:
        from ConSinGAN.pictures import simplify

        return simplify.smooth(simplify.rearrange(real, dice), dice.real(0.3, 1.0))

    def naive_input(self, naive: Tensor, streams: Streams) -> Tensor:
        from ConSinGAN.pictures import simplify

        return simplify.smooth(naive)
