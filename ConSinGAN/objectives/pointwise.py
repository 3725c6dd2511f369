"""Objectives that look at every score by itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from torch import Tensor

from ConSinGAN.critics.base import Clear, Critic
from ConSinGAN.objectives.base import Objective, Terms, judge, mean, over_maps


class Pointwise(Objective):
    """The critic minimises E of_real(D(real)) + E of_fake(D(fake)), and a penalty if there is one.

    The generator minimises E fooling(D(fake)). All three are functions of scores of any shape,
    element by element.
    """

    leaves_out = True

    @abstractmethod
    def of_real(self, scores: Tensor, chance: Mapping[str, Tensor]) -> Tensor:
        """The critic's loss of a real picture's scores."""

    @abstractmethod
    def of_fake(self, scores: Tensor, chance: Mapping[str, Tensor]) -> Tensor:
        """The critic's loss of a fake's scores."""

    @abstractmethod
    def fooling(self, scores: Tensor) -> Tensor:
        """The generator's loss of a fake's scores."""

    def penalty(self, critic: Critic, real: Tensor, clear: Clear | None) -> Tensor | None:
        """What the critic minimises besides, a scalar; None: nothing."""
        return None

    def critic_step(
        self, critic: Critic, real: Tensor, fake: Tensor, chance: Mapping[str, Tensor],
        clear: Clear | None = None,
    ) -> Terms:  # fmt: skip
        """As the base class says; `real` and `fake` of the terms are mean scores."""
        where = None if clear is None else clear.scores
        real_maps, fake_maps = judge(critic, real, fake)
        loss = over_maps(lambda scores: self.of_real(scores, chance), real_maps, where)
        loss = loss + over_maps(lambda scores: self.of_fake(scores, chance), fake_maps)
        terms = {"real": mean(real_maps, where).mean(), "fake": mean(fake_maps).mean()}
        penalty = self.penalty(critic, real, clear)
        if penalty is not None:
            loss, terms["penalty"] = loss + penalty, penalty
        loss.backward()
        return {name: value.detach() for name, value in (terms | {"critic": loss}).items()}

    def generator_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        return over_maps(self.fooling, critic.maps(fake))
