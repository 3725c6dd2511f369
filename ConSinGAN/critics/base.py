"""What a critic is: a network that judges patches of pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from ConSinGAN.errors import UsageError

if TYPE_CHECKING:
    from ConSinGAN.config import TrainConfig


@dataclass(frozen=True)
class Clear:
    """Where a critic sees nothing of a hole; 1 there, else 0.

    scores: of the maps, (1, 1, h, w) each. pixels: those that such scores see, (1, 1, H, W).
    """

    scores: list[Tensor]
    pixels: Tensor

    @property
    def is_empty(self) -> bool:
        """Whether every score sees something of it."""
        return not any(bool(scores.any()) for scores in self.scores)

    @property
    def share(self) -> float:
        """How many of the scores, of 1, see nothing of it."""
        return float(torch.cat([scores.flatten() for scores in self.scores]).float().mean())


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

    def grow(self) -> None:
        """Called when the generator has got a stage more. It is handed on from stage to stage."""
        return

    def maps(self, picture: Tensor) -> list[Tensor]:
        """The scores as maps; a critic that looks at several scales has one for each."""
        return [self(picture)]

    def clear_of(self, hole: Tensor) -> Clear:
        """Which of the scores of `maps` see nothing of a hole, (1, 1, H, W) of bools.

        Raises UsageError if the critic cannot tell.
        """
        raise UsageError(f"`critic` {self.name}: cannot leave a hole out of what it looks at")
