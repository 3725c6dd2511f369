"""What a critic is: a network that judges patches of pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

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

    A critic may consist of several, each with weights and a view of the picture of its own; then
    losses are computed of each and summed.

    dtype: of the arithmetic; weights stay float32. chance: the uniform random numbers in [0, 1)
    that `own_losses` needs in a step, as an objective's; what is said there holds here, too.
    """

    name: ClassVar[str] = ""  # what --critic calls it; no name, no component
    summary: ClassVar[str] = ""  # one line for --help
    needs: ClassVar[Mapping[str, str]] = {}  # other components, by option; see `registry`
    defaults: ClassVar[Mapping[str, Any]] = {}  # of other options, where they suit it better
    dtype: torch.dtype = torch.float32
    chance: ClassVar[Mapping[str, tuple[int, ...]]] = {}

    @classmethod
    @abstractmethod
    def from_config(cls, config: TrainConfig) -> Critic:
        """A fresh critic for a configuration."""

    @classmethod
    def work(cls, config: TrainConfig) -> float:
        """About how much longer than the patch critic it computes; 1 is as long."""
        return 1.0

    @classmethod
    def more_memory(cls, config: TrainConfig, size: tuple[int, int]) -> int:
        """About how many bytes more than the patch critic it takes; size: (h, w) of a picture."""
        return 0

    @abstractmethod
    def forward(self, picture: Tensor) -> Tensor:
        """The scores of every patch, (N, 1, h, w), at least float32."""

    def grow(self) -> None:
        """Called when the generator has got a stage more. It is handed on from stage to stage."""
        return

    def maps(self, picture: Tensor) -> list[Tensor]:
        """The scores as maps; a critic that looks at several scales has one for each."""
        return [self(picture)]

    @property
    def parts(self) -> Sequence[Critic]:
        """The critics that it consists of."""
        return [self]

    def views(self, picture: Tensor) -> list[Tensor]:
        """What each of its parts sees of a picture, differentiable.

        Fewer than there are parts, if the picture is too small for the last ones.
        """
        return [picture]

    def own_losses(
        self, real: Tensor, chance: Mapping[str, Tensor], known: Tensor | None = None
    ) -> dict[str, Tensor]:
        """What it minimises in every step besides the objective, by the names of the curves.

        known: 1 where the real picture may be looked at, else 0, (1, 1, H, W); None: everywhere.
        """
        return {}

    def reconstruction_loss(
        self, reconstruction: Tensor, real: Tensor, counting: Sequence[bool] | None = None
    ) -> Tensor | None:
        """What the generator minimises of its reconstruction besides the error; None: nothing.

        counting: which of its parts learn at this stage, by their views; None: all.
        """
        return None

    def clear_of(self, hole: Tensor) -> Clear:
        """Which of the scores of `maps` see nothing of a hole, (1, 1, H, W) of bools.

        Raises UsageError if the critic cannot tell.
        """
        raise UsageError(f"`critic` {self.name}: cannot leave a hole out of what it looks at")
