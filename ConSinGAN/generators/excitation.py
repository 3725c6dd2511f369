"""Skip-layer excitation: a map's channels weighed by what an earlier stage has drawn."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ConSinGAN.layers import NetworkShape, init_weights, make_activation

SIDE = 4  # of what a map is pooled to
SKIPPED = 3  # stages between both; FastGAN's connections skip half of its network


class Excitation(nn.Module):
    """sigmoid(conv1x1(activation(conv4x4(pooled)))), a weight for every channel.

    Liu, Zhu, Song, Elgammal, "Towards faster and stabilized GAN training for high-fidelity few-shot
    image synthesis" (FastGAN), 2021, section 3.1. In float32.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(shape.num_filters, shape.num_filters, SIDE)
        self.activation = make_activation(shape.activation, shape.slope)
        self.excite = nn.Conv2d(shape.num_filters, shape.num_filters, 1)
        init_weights(self)

    def forward(self, pooled: Tensor) -> Tensor:
        """(N, C, 4, 4) -> (N, C, 1, 1) in (0, 1)."""
        return torch.sigmoid(self.excite(self.activation(self.squeeze(pooled))))


def pool(x: Tensor) -> Tensor:
    """What is remembered of a stage's map: (N, C, h, w) -> (N, C, 4, 4) float32."""
    return F.adaptive_avg_pool2d(x.float(), SIDE)


def source_of(stage: int) -> int:
    """The stage whose map weighs the channels of `stage`, which is not the first."""
    return max(stage - SKIPPED, 0)
