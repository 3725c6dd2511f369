"""Random crops of one picture, each with its reduced copy."""

from __future__ import annotations

import torch
from torch import Tensor

from ConSinGAN.augment import Dice
from ConSinGAN.config import TrainConfig
from ConSinGAN.model import ImageModel
from ConSinGAN.naive import Naive
from ConSinGAN.noise import RandomStreams
from ConSinGAN.pyramid import crop_sizes, size_of, sizes_between
from ConSinGAN.resize import resize
from ConSinGAN.sources.base import Pair, Source

SCALES = (1.0, 0.9, 0.8, 0.7, 0.6)  # of the picture that crops are taken from
SHARE_OF_WHOLE = 0.4  # of the crops, that are taken from the picture as it is


class Crops(Source):
    """Crops that are turned, mirrored and taken from smaller copies of the picture, too.

    A picture's small details look like its large ones made smaller: smaller copies show more of
    what a reduced picture loses (Glasner et al. 2009; Shocher et al., ZSSR, 2018).
    """

    name = "crops"

    def __init__(self, config: TrainConfig, naive: Naive | None = None) -> None:
        """The mode's options say by what `factor` crops are reduced, and how large they are."""
        options = config.options_of("mode")
        self.factor, self.crop = options.factor, options.crop
        self._copies: list[Tensor] = []

    def draw_input(self, model: ImageModel, streams: RandomStreams) -> Pair:
        """A crop that has the last stage's scale, and its copy reduced to the first one's."""
        dice = Dice(streams.augmentation)
        copies = self._copies = self._copies or self._make_copies(model.reals[-1])
        whole = dice.real() < SHARE_OF_WHOLE
        picture = copies[0 if whole else dice.integer(0, len(copies) - 1)]
        low, high = crop_sizes(size_of(picture), self.factor, self.crop)
        top = dice.integer(0, picture.shape[2] - high[0])
        left = dice.integer(0, picture.shape[3] - high[1])
        part = picture[..., top : top + high[0], left : left + high[1]]
        if dice.integer(0, 1):
            part = part.flip(3)
        turns = dice.integer(0, 3)
        part = torch.rot90(part, turns, (2, 3))
        if turns % 2:
            low, high = low[::-1], high[::-1]
        sizes = sizes_between(low, high, model.config.train_stages)
        sizes = sizes[: model.generator.num_stages]
        target = resize(part, size=sizes[-1]) if sizes[-1] != high else part
        return Pair(resize(part, size=low), target.contiguous(), sizes)

    def _make_copies(self, picture: Tensor) -> list[Tensor]:
        """The picture, and smaller copies that crops of the same size fit into."""
        _, high = crop_sizes(size_of(picture), self.factor, self.crop)
        copies = [resize(picture, scale=scale) if scale < 1 else picture for scale in SCALES]
        return [c for c in copies if c.shape[2] >= high[0] and c.shape[3] >= high[1]]
