"""Paint to image: a painting in few colours becomes a picture of the training picture's world."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ConSinGAN.errors import UsageError
from ConSinGAN.modes.base import Mode
from ConSinGAN.modes.paint_options import Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.naive import Naive
    from ConSinGAN.noise import Streams


class Paint(Mode):
    """Learns from the picture flattened to few colours, sloppily and every time in another way."""

    name = "paint"
    summary = "turns a painting in few colours into a picture like this one"
    defaults = {"min_size": 40, "train_stages": 5, "niter": 1000}
    default_task = "paint"
    previews = ("samples", "paint")
    takes_naive = True

    def __init__(self, num_colours: int = Options.paint_colours) -> None:
        self.num_colours = num_colours

    def configured(self, config: TrainConfig) -> Paint:
        return Paint(config.options_of("mode").paint_colours)

    def validate(self, config: TrainConfig) -> None:
        if config.fine_tune and config.naive_img is not None:
            raise UsageError(
                "`naive_img`: a painting is no picture to fine-tune on; name one with `input_name`"
            )

    def read_naive(self, config: TrainConfig, shapes: Sequence[tuple[int, int]]) -> Naive | None:
        from ConSinGAN import images
        from ConSinGAN.naive import Naive

        if config.naive_img is None:
            return None
        picture = images.read_image(
            config.naive_img, config.nc_im, "`naive_img`", config.max_megapixels
        )
        return Naive(picture, None)

    def fixed_input(self, real: Tensor, streams: Streams) -> Tensor:
        from ConSinGAN.pictures import palette

        return palette.flatten(real, self.num_colours)

    def draw_input(self, real: Tensor, streams: Streams) -> Tensor:
        from ConSinGAN.augment import Dice, one_by_one
        from ConSinGAN.pictures import palette

        dice = Dice(streams.augmentation)

        return one_by_one(lambda one: palette.flatten(one, self.num_colours, dice), real)

    def naive_input(self, naive: Tensor, streams: Streams) -> Tensor:
        return naive

    def why_no_random_pictures(self) -> str | None:
        return "the model was trained for paintings, and draws what it is given"
