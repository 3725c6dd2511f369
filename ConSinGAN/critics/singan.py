"""SinGAN's critic (Shaham, Dekel, Michaeli 2019): it has norms, and grows wider."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from ConSinGAN.critics.base import Clear, Critic
from ConSinGAN.critics.patch import PatchCritic
from ConSinGAN.layers import NetworkShape, drawing_weights, width_at

if TYPE_CHECKING:
    from ConSinGAN.config import TrainConfig


class SinGANCritic(PatchCritic):
    """The patch critic with batch normalisation, the statistics being those of the picture.

    (N, C, H, W) -> (N, 1, H - 10, W - 10) for the default five 3x3 convolutions. Every fourth stage
    it has twice the filters (see `width_at`) and begins afresh.
    """

    name = "singan"
    summary = "one score for every patch; batch normalisation, wider at later stages (SinGAN's)"

    def __init__(self, shape: NetworkShape | None = None, seed: int = 0) -> None:
        """seed: of the weights that are drawn when it grows."""
        shape = shape or NetworkShape()
        super().__init__(shape, batch_norm=True)
        self.shape, self.seed, self.num_stages = shape, seed, 1

    @classmethod
    def from_config(cls, config: TrainConfig) -> Critic:
        return cls(NetworkShape.of(config), config.manualSeed or 0)

    def grow(self) -> None:
        self.num_stages += 1
        before, now = (width_at(self.shape.num_filters, self.num_stages - k) for k in (2, 1))
        if now == before:
            return
        with drawing_weights(self.seed, self.num_stages, 1):
            fresh = PatchCritic(replace(self.shape, num_filters=now), batch_norm=True)
        fresh.to(self.tail.weight)
        self.head, self.body, self.tail = fresh.head, fresh.body, fresh.tail

    def clear_of(self, hole: Tensor) -> Clear:
        return Critic.clear_of(self, hole)  # norms look at the whole picture
