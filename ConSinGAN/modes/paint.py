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


POOL = 16  # sloppy paintings of a picture that training shows, in random order


class Paint(Guided):
    """Learns from the picture flattened to few colours, sloppily, each time in another way.

    Flat colours tell little, and there is one picture to learn from what they stand for. So they
    are translated into pieces of it first, by analogy; the network draws what they should be.
    """

    name = "paint"
    summary = "turns a painting in few colours into a picture like this one"
    defaults = {"min_size": 48, "train_stages": 4, "niter": 1000, "alpha": 50.0}
    drafts = (
        {"max_size": 80, "min_size": 36, "train_stages": 3, "niter": 200, "Dsteps": 1},
        {"max_size": 100, "min_size": 42, "train_stages": 3, "niter": 300, "Dsteps": 1},
        {"max_size": 120, "min_size": 48, "train_stages": 3, "niter": 400, "Dsteps": 1},
    )
    default_task = "paint"
    previews = ("samples", "paint")

    def __init__(self, num_colours: int = Options.paint_colours) -> None:
        self.num_colours = num_colours

    def configured(self, config: TrainConfig) -> Paint:
        return Paint(config.options_of("mode").paint_colours)

    def spacing(self, factor: float, num_stages: int) -> list[float]:
        from ConSinGAN import pyramid

        return pyramid.geometric_scales(factor, num_stages)

    def fixed_input(self, real: Tensor, streams: Streams) -> Tensor:
        from ConSinGAN.pictures import analogy

        return analogy.of_painting(real, self.num_colours)

    def spoil(self, real: Tensor, dice: Dice) -> Tensor:
        from ConSinGAN.pictures import analogy

        return analogy.of_painting(real, self.num_colours, dice.integer(1, POOL))
