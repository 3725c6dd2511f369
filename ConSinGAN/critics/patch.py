"""The paper's patch critic (section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ConSinGAN.critics.base import Clear, Critic
from ConSinGAN.fast.weight_gradient import at_least_float
from ConSinGAN.layers import ConvBlock, NetworkShape, conv, init_weights

if TYPE_CHECKING:
    from ConSinGAN.config import TrainConfig


class PatchCritic(Critic):
    """num_layer + 2 convolutions without padding, a score for every position.

    (N, C, H, W) -> (N, 1, H - 10, W - 10) for the default five 3x3 convolutions.
    """

    name = "patch"
    summary = "one score for every patch (the paper's)"

    def __init__(self, shape: NetworkShape | None = None, batch_norm: bool = False) -> None:
        super().__init__()
        shape = shape or NetworkShape()
        self.head = shape.block(shape.image_channels, batch_norm)
        self.body = shape.body(batch_norm)
        self.tail = nn.Conv2d(shape.num_filters, 1, shape.ker_size)
        self.padding, self.ker_size = shape.padding, shape.ker_size
        self.num_convs = shape.num_layer + 2
        init_weights(self)

    @classmethod
    def from_config(cls, config: TrainConfig) -> Critic:
        return cls(NetworkShape.of(config))

    @property
    def field(self) -> int:
        """How many pixels, along each side, a score depends on."""
        return self.num_convs * (self.ker_size - 1) + 1

    def blocks(self) -> Iterator[ConvBlock]:
        """All blocks before the tail."""
        return iter((self.head, *self.body))

    def clear_of(self, hole: Tensor) -> Clear:
        seen = hole.float()
        for _ in range(self.num_convs):
            seen = F.max_pool2d(seen, self.ker_size, stride=1, padding=self.padding)
        clear = pixels = 1 - seen
        margin = self.ker_size - 1 - self.padding
        for _ in range(self.num_convs):
            pixels = F.max_pool2d(F.pad(pixels, (margin,) * 4), self.ker_size, stride=1)
        return Clear([clear], pixels)

    def features(self, picture: Tensor) -> list[Tensor]:
        """What every block but the tail makes of a picture: (N, num_filters, h, w) each."""
        x = picture.to(self.dtype, memory_format=torch.channels_last)
        features = []
        for block in self.blocks():
            x = block(x)
            features.append(x)
        return features

    def forward(self, picture: Tensor) -> Tensor:
        x = picture.to(self.dtype, memory_format=torch.channels_last)
        for block in self.blocks():
            x = block(x)
        return at_least_float(conv(x, self.tail.weight, self.tail.bias, self.padding))
