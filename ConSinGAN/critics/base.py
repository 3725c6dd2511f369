"""What a critic is: a network that judges patches of pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from ConSinGAN.config import TrainConfig


class Critic(nn.Module, ABC):
    """Pictures are (N, C, H, W) in [-1, 1].

    dtype: of the arithmetic; weights stay float32.
    """

    name: ClassVar[str] = ""  # what --critic calls it; no name, no component
    summary: ClassVar[str] = ""  # one line for --help
    dtype: torch.dtype = torch.float32

    @classmethod
    @abstractmethod
    def from_config(cls, config: TrainConfig) -> Critic:
        """A fresh critic for a configuration."""

    @abstractmethod
    def forward(self, picture: Tensor) -> Tensor:
        """The scores of every patch, (N, 1, h, w), at least float32."""

    def maps(self, picture: Tensor) -> list[Tensor]:
        """The scores as maps; a critic that looks at several scales has one for each."""
        return [self(picture)]
