"""What harmonization and editing share: pictures enter stage 0, a mask guards the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ConSinGAN.errors import UsageError
from ConSinGAN.modes.base import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.naive import Naive
    from ConSinGAN.noise import Streams


class Composite(Mode):
    """Trained on augmented copies of the picture, then shown the naive one."""

    takes_naive = True

    def augment(self, real: Tensor, streams: Streams) -> Tensor:
        """One augmented copy of the coarsest picture (1, C, h, w)."""
        return real

    def validate(self, config: TrainConfig) -> None:
        if config.fine_tune and config.naive_img is None:
            raise UsageError("`fine_tune` needs `naive_img`, the picture to fine-tune on")

    def read_naive(self, config: TrainConfig, shapes: Sequence[tuple[int, int]]) -> Naive | None:
        from ConSinGAN.naive import load_naive

        if config.naive_img is None:
            return None
        frame = config.frame if config.fine_tune else None  # else it is that of --input_name
        return load_naive(
            config.naive_img, None, config.nc_im, shapes, config.max_megapixels, frame
        )

    def draw_input(self, real: Tensor, streams: Streams) -> Tensor:
        from ConSinGAN.augment import one_by_one

        return one_by_one(lambda picture: self.augment(picture, streams), real)

    def naive_input(self, naive: Tensor, streams: Streams) -> Tensor:
        return naive

    def why_no_random_pictures(self) -> str | None:
        return f"the model was trained for {self.name}, and draws what it is given"
