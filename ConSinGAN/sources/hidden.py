"""One picture with a hole: noise enters stage 0 where it shall be drawn anew."""

from __future__ import annotations

import torch
from torch import Tensor

from ConSinGAN.config import TrainConfig
from ConSinGAN.holes import noisy_fill
from ConSinGAN.model import ImageModel
from ConSinGAN.naive import Naive
from ConSinGAN.noise import RandomStreams
from ConSinGAN.sources.base import Source

ALL_NOISE = 0.25  # share of the iterations in which nothing of the picture enters
LEAST_SIDE = 0.3  # of the rectangle that is drawn anew, beside the hole; share of the picture's


class Hidden(Source):
    """The picture enters around its hole and around a random rectangle, where noise does.

    So the network learns to go on from what is there, everywhere and not only at the hole, of
    which there is nothing to learn but that it fits.
    """

    name = "hidden"

    def __init__(self, config: TrainConfig, naive: Naive | None = None) -> None:
        self.naive = naive

    def draw_input(self, model: ImageModel, streams: RandomStreams) -> Tensor:
        real, hole = model.reals[0], model.hole_at(0)
        noise = model.mode.draw_input(real, streams)
        choice, height, width, top, left = torch.rand(5, generator=streams.augmentation).tolist()
        if choice < ALL_NOISE:
            return noise
        anew = hole.clone()
        rows, columns = (
            _part(total, share, start)
            for total, share, start in zip(
                real.shape[-2:], (height, width), (top, left), strict=True
            )
        )
        anew[..., rows, columns] = True
        if anew.all():  # nothing is left around it
            return noise
        return noisy_fill(real, anew, noise)

    def fixed_input(self, model: ImageModel, streams: RandomStreams) -> Tensor:
        real = model.reals[0]
        return noisy_fill(real, model.hole_at(0), model.mode.draw_input(real, streams))


def _part(total: int, share: float, start: float) -> slice:
    """A random part of an axis; share and start: uniform in [0, 1)."""
    num = round(total * (LEAST_SIDE + (1 - LEAST_SIDE) * share))
    first = int((total - num + 1) * start)
    return slice(first, first + num)
