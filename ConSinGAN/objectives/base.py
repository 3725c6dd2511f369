"""What an objective is: what critic and generator minimise against each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ConSinGAN.critics.base import Critic

Terms = dict[str, Tensor]  # detached scalars by the names of their curves


class Objective(nn.Module, ABC):
    """Pictures are (1, C, H, W) in [-1, 1]. Its buffers, if it has any, are saved with the run.

    chance: the uniform random numbers in [0, 1) that a critic step needs, by the name of the random
    stream, and their shapes. They are drawn before the iteration begins; nothing else in a step may
    be random, and nothing that changes from iteration to iteration may be a plain number: steps
    are recorded and replayed.
    """

    name: ClassVar[str] = ""  # what --objective calls it; no name, no component
    summary: ClassVar[str] = ""  # one line for --help
    chance: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    remedy: ClassVar[str] = ""  # ", do this" for those whose run has diverged

    def __init__(self, options: Any = None) -> None:
        """options: the objective's `Options`, if it has any."""
        super().__init__()
        self.options = options

    @abstractmethod
    def critic_step(
        self, critic: Critic, real: Tensor, fake: Tensor, chance: Mapping[str, Tensor]
    ) -> Terms:
        """Leave the gradients of the critic's loss in the critic, which has none; its terms.

        fake: detached. chance: the numbers of this step.
        """

    def after_critic(self, critic: Critic) -> None:
        """Called when the critic's optimiser has made its step (weight clipping, say)."""
        return

    @abstractmethod
    def generator_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """What the generator minimises, a scalar, differentiable in the fake."""

    def fool(self, critic: Critic, real: Tensor, fake: Tensor) -> tuple[Terms, Tensor]:
        """The generator's terms, and the gradient of its loss in the fake (1, C, H, W)."""
        with torch.enable_grad():
            fake = fake.detach().requires_grad_()
            loss = self.generator_loss(critic, real, fake)
        return {"adversarial": loss.detach()}, torch.autograd.grad(loss, fake)[0]


def mean(maps: list[Tensor]) -> Tensor:
    """The mean of every picture's scores, (N,), each map counting alike."""
    means = [scores.mean(dim=tuple(range(1, scores.dim()))) for scores in maps]
    return means[0] if len(means) == 1 else torch.stack(means).mean(0)
