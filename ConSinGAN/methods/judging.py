"""One step of the critic, whatever else an iteration is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from ConSinGAN.critics.base import Critic
from ConSinGAN.objectives.base import Objective, Terms


def critic_step(
    objective: Objective, critic: Critic, optimizers: Sequence[Optimizer], real: Tensor,
    fake: Tensor, chance: Mapping[str, Tensor], **where: Any,
) -> Terms:  # fmt: skip
    """Let the critic, and an objective that has weights, learn once; what the objective says of it.

    where: further arguments of `Objective.critic_step`, if any.
    """
    for optimizer in optimizers:
        optimizer.zero_grad()
    terms = objective.critic_step(critic, real, fake.detach(), chance, **where)
    for optimizer in optimizers:
        optimizer.step()
    objective.after_critic(critic)
    return terms
