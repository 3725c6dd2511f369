"""Pictures with haze, and without."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ConSinGAN.augment import Dice
from ConSinGAN.config import TrainConfig
from ConSinGAN.model import ImageModel
from ConSinGAN.naive import Naive
from ConSinGAN.noise import RandomStreams
from ConSinGAN.pictures import haze
from ConSinGAN.sources.base import Pair, Source

THICKNESS = (0.7, 1.3)  # of the haze, in that of the picture's own; squared where both numbers meet


class Hazed(Source):
    """Crops of the picture as the dark channel prior sees it without haze, with new haze on them.

    The haze has about the picture's own light and its own depth, and varies smoothly around that.
    """

    name = "hazed"

    def __init__(self, config: TrainConfig, naive: Naive | None = None) -> None:
        """The mode's option says how large crops are."""
        self.crop = config.options_of("mode").crop
        self._clear: np.ndarray | None = None

    def draw_input(self, model: ImageModel, streams: RandomStreams) -> Pair:
        """A crop with haze, and the same without."""
        if self._clear is None:
            self._look_at(model.reals[-1])
        assert self._clear is not None
        dice = Dice(streams.augmentation)
        height, width = self._clear.shape[:2]
        high, wide = min(self.crop, height), min(self.crop, width)
        numbers = np.array([dice.real() for _ in range(8)])
        # The picture's own haze, somewhere thicker and somewhere thinner.
        least, most = THICKNESS
        thickness = least + (most - least) * haze.smooth_depth(height, width, numbers)
        transmission = self._transmission ** (thickness * dice.real(least, most))
        light = (self._light + np.array([dice.real(-0.05, 0.05) for _ in self._light])).clip(0, 1)
        top, left = dice.integer(0, height - high), dice.integer(0, width - wide)
        window = slice(top, top + high), slice(left, left + wide)
        clear = self._clear[window]
        hazy = haze.add(clear, light, transmission[window])
        if dice.integer(0, 1):
            clear, hazy = clear[:, ::-1], hazy[:, ::-1]
        sizes = [(high, wide)] * model.generator.num_stages
        return Pair(_to_tensor(hazy, model), _to_tensor(clear, model), sizes)

    def _look_at(self, picture: Tensor) -> None:
        """Find out what haze there is."""
        pixels = (picture[0].permute(1, 2, 0).cpu().double().numpy() + 1) / 2
        self._light = haze.find_light(pixels)
        transmission = haze.find_transmission(pixels, self._light)
        self._clear = haze.remove(pixels, self._light, transmission)
        self._transmission = transmission


def _to_tensor(pixels: np.ndarray, model: ImageModel) -> Tensor:
    """(H, W, C) in [0, 1] -> (1, C, H, W) float32 in [-1, 1], on the model's device."""
    tensor = torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float32))
    return (tensor.permute(2, 0, 1)[None] * 2 - 1).to(model.device)
