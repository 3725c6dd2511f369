"""Paint to image: a painting in few colours becomes a picture of the training picture's world."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ConSinGAN.modes.guided import Guided
from ConSinGAN.modes.paint_options import Options

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.augment import Dice
    from ConSinGAN.config import TrainConfig
    from ConSinGAN.noise import Streams


class Paint(Guided):
    """Learns from the picture flattened to few colours, sloppily and every time in another way."""

    name = "paint"
    summary = "turns a painting in few colours into a picture like this one"
    defaults = {"min_size": 40, "train_stages": 5, "niter": 1000}
    default_task = "paint"
    previews = ("samples", "paint")

    def __init__(self, num_colours: int = Options.paint_colours) -> None:
        self.num_colours = num_colours

    def configured(self, config: TrainConfig) -> Paint:
        return Paint(config.options_of("mode").paint_colours)

    def fixed_input(self, real: Tensor, streams: Streams) -> Tensor:
        from ConSinGAN.pictures import palette

        return palette.flatten(real, self.num_colours)

    def spoil(self, real: Tensor, dice: Dice) -> Tensor:
        from ConSinGAN.pictures import palette

        return palette.flatten(real, self.num_colours, dice)
