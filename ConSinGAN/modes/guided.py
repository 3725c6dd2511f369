"""What paint and style share: pictures of any shape enter stage 0, and decide what lies where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ConSinGAN.errors import UsageError
from ConSinGAN.modes.base import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ConSinGAN.augment import Dice
    from ConSinGAN.config import TrainConfig
    from ConSinGAN.naive import Naive
    from ConSinGAN.noise import Streams


class Guided(Mode):
    """Trained on spoiled copies of the picture, then shown others."""

    takes_naive = True

    def spoil(self, real: Tensor, dice: Dice) -> Tensor:
        """One spoiled copy of the coarsest picture (1, C, h, w)."""
        return real

    def validate(self, config: TrainConfig) -> None:
        if config.fine_tune and config.naive_img is not None:
            raise UsageError(
                f"`naive_img`: models for {self.name} are fine-tuned on a picture like their own; "
                "name it with `input_name`"
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

    def draw_input(self, real: Tensor, streams: Streams) -> Tensor:
        from ConSinGAN.augment import Dice, one_by_one

        dice = Dice(streams.augmentation)
        return one_by_one(lambda picture: self.spoil(picture, dice), real)

    def naive_input(self, naive: Tensor, streams: Streams) -> Tensor:
        return naive

    def why_no_random_pictures(self) -> str | None:
        return f"the model was trained for {self.name}, and draws what it is given"
