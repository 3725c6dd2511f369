"""What an objective is: what critic and generator minimise against each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ConSinGAN.critics.base import Clear, Critic

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
    needs: ClassVar[Mapping[str, str]] = {}  # other components, by option; see `registry`
    defaults: ClassVar[Mapping[str, Any]] = {}  # of other options, where they suit it better
    leaves_out: ClassVar[bool] = False  # whether `critic_step` knows what to do with `clear`
    chance: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    remedy: ClassVar[str] = ""  # ", do this" for those whose run has diverged

    def __init__(self, options: Any = None) -> None:
        """options: the objective's `Options`, if it has any."""
        super().__init__()
        self.options = options

    @abstractmethod
    def critic_step(
        self, critic: Critic, real: Tensor, fake: Tensor, chance: Mapping[str, Tensor],
        clear: Clear | None = None,
    ) -> Terms:  # fmt: skip
        """Leave the gradients of the critic's loss in the critic, which has none; its terms.

        fake: detached. chance: the numbers of this step. clear: if the real picture has a hole,
        where real scores and what is penalised count; there is such a place. None: everywhere. Is
        only given to objectives that say `leaves_out`.
        """

    def after_critic(self, critic: Critic) -> None:
        """Called when the critic's optimiser has made its step (weight clipping, say).

        critic: the whole, not one of its parts.
        """
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


def mean(maps: list[Tensor], where: list[Tensor] | None = None) -> Tensor:
    """The mean of every picture's scores, (N,), each map counting alike.

    where: weights of the scores, one map (1, 1, h, w) for each.
    """
    if where is None:
        means = [scores.mean(dim=tuple(range(1, scores.dim()))) for scores in maps]
    else:
        sums = [(scores * w).flatten(1).sum(1) for scores, w in zip(maps, where, strict=True)]
        means = [total / w.sum().clamp(min=1) for total, w in zip(sums, where, strict=True)]
    return means[0] if len(means) == 1 else torch.stack(means).mean(0)


def judge(critic: Critic, real: Tensor, fake: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The score maps of real and fake pictures, which the critic sees at once."""
    maps = critic.maps(torch.cat([real, fake]))
    return [scores[: len(real)] for scores in maps], [scores[len(real) :] for scores in maps]


def over_maps(
    loss: Callable[[Tensor], Tensor], maps: list[Tensor], where: list[Tensor] | None = None
) -> Tensor:
    """E of a loss of single scores, a scalar: of every score first, then their `mean`.

    where: as for `mean`.
    """
    return mean([loss(scores) for scores in maps], where).mean()
