"""Critic and objective as a method uses them, whatever else an iteration is.

The objective is applied to every part of the critic (see `Critic.parts`) and what it says is
summed; pictures are changed before the critic sees them if `augment_critic` says so; and there is
what the critic learns besides.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ConSinGAN.critics.augmentation import Augmentation
from ConSinGAN.critics.base import Clear, Critic
from ConSinGAN.errors import UsageError
from ConSinGAN.fast.wgan_gp import quicken
from ConSinGAN.noise import RandomStreams
from ConSinGAN.objectives.base import Objective, Terms
from ConSinGAN.pyramid import sizes_of, window_sizes
from ConSinGAN.state import TrainingState

log = logging.getLogger(__name__)

LEAST_CLEAR = 0.25  # of what the critic looks at; of less, sky only, it learns that all is sky

Chance = Mapping[str, Tensor]  # random numbers by stream, the first axis being the critic's steps


@dataclass(frozen=True)
class Part:
    """A critic of one view, the objective for it, and what of the real picture it may look at."""

    critic: Critic
    objective: Objective
    clear: Clear | None

    @property
    def counts(self) -> bool:
        """Whether it sees enough beside a hole."""
        return self.clear is None or self.clear.share >= LEAST_CLEAR


class Judge:
    """A run's critic, its optimizer, and the objective.

    judges: whether any part of the critic sees enough of the picture beside its hole; if not,
    nothing here may be called.
    """

    def __init__(self, state: TrainingState, hole: Tensor | None = None) -> None:
        """hole: of the real picture, (1, 1, H, W) of bools. Raises UsageError as `clear_of_hole`.

        Losses leave the hole out.
        """
        critic, objective, self.config = state.critic, state.objective, state.config
        self.critic, self.objective, self.hole = critic, objective, hole
        self.known = None if hole is None else (~hole).float()
        # The critic's, and that of an objective which has weights of its own.
        self.optimizers = [o for name, o in state.optimizers.items() if name != "generator"]
        clears: list[Clear | None] = [None] * len(critic.parts)
        if hole is not None:
            clears[:] = clear_of_hole(objective, critic, hole)
        self.parts = [
            Part(part, quicken(objective, part), clear)
            for part, clear in zip(critic.parts, clears, strict=False)
        ]
        self.counting = [part.counts for part in self.parts]
        self.judges = any(self.counting)
        self.augmentation = Augmentation.of(state.config)
        self.chance = {**objective.chance, **critic.chance}

    def draw_chance(self, streams: RandomStreams) -> dict[str, Tensor]:
        """The random numbers of all critic steps of an iteration, and of the generator's step."""
        steps = self.config.Dsteps
        shapes = {name: (steps, *shape) for name, shape in self.chance.items()}
        for name, shape in self.augmentation.chance.items():
            shapes[name] = (steps + 1, *shape)
        return {
            name: torch.rand(
                shape, generator=streams.generators[name], device=streams.generators[name].device
            )
            for name, shape in shapes.items()
        }

    def critic_step(self, real: Tensor, fake: Tensor, chance: Chance, step: int) -> Terms:
        """Let the critic, and an objective that has weights, learn once; what they say of it.

        step: of the iteration, from 0 on.
        """
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        numbers = {name: values[step] for name, values in chance.items()}
        real, fake = (self.augmentation(p, numbers) for p in (real, fake.detach()))
        found = []
        for part, (seen, drawn) in self._views(real, fake):
            where = {} if part.clear is None else {"clear": part.clear}
            found.append(part.objective.critic_step(part.critic, seen, drawn, numbers, **where))
        own = self.critic.own_losses(real, numbers, self.known)
        if own:
            torch.stack(list(own.values())).sum().backward()
        for optimizer in self.optimizers:
            optimizer.step()
        self.objective.after_critic(self.critic)
        return {**_summed(found), **{name: loss.detach() for name, loss in own.items()}}

    def fool(self, real: Tensor, fake: Tensor, chance: Chance) -> tuple[Terms, Tensor]:
        """The generator's terms, and the gradient of its loss in the fake, (1, C, H, W)."""
        with torch.enable_grad():
            fake = fake.detach().requires_grad_()
            real, changed = self._for_generator(real, chance), self._for_generator(fake, chance)
            views = self._views(real, changed)
        found, views_of_fake, gradients = [], [], []
        for part, (seen, drawn) in views:
            terms, gradient = part.objective.fool(part.critic, seen, drawn)
            found.append(terms)
            views_of_fake.append(drawn)
            gradients.append(gradient)
        return _summed(found), torch.autograd.grad(views_of_fake, fake, gradients)[0]

    def reconstruction_loss(
        self, reconstruction: Tensor, real: Tensor, chance: Chance
    ) -> Tensor | None:
        """What the critic adds to the generator's reconstruction loss; None: nothing."""
        if self.hole is not None:
            reconstruction = torch.where(self.hole, real, reconstruction)
        drawn, real = (self._for_generator(p, chance) for p in (reconstruction, real))
        return self.critic.reconstruction_loss(drawn, real, self.counting)

    def _for_generator(self, picture: Tensor, chance: Chance) -> Tensor:
        return self.augmentation(picture, {n: chance[n][-1] for n in self.augmentation.chance})

    def _views(self, real: Tensor, fake: Tensor) -> list[tuple[Part, tuple[Tensor, Tensor]]]:
        """The parts that count, and what they see of two pictures."""
        views = zip(self.critic.views(real), self.critic.views(fake), strict=True)
        pairs = zip(self.parts, views, strict=False)
        return [pair for pair, counts in zip(pairs, self.counting, strict=False) if counts]


def clear_of_hole(objective: Objective, critic: Critic, hole: Tensor) -> list[Clear]:
    """`Critic.clear_of`, of all parts of the critic that see anything of a picture of this size.

    Raises UsageError if the objective or the critic cannot leave the hole out.
    """
    if not objective.leaves_out:
        raise UsageError(f"`objective` {objective.name}: cannot leave a hole out of the picture")
    views = zip(critic.parts, critic.views(hole.float()), strict=False)
    return [part.clear_of(view > 0) for part, view in views]


def say_what_is_left_out(state: TrainingState) -> None:
    """Tell if the last stage's pictures are too small for some of the critic's parts."""
    model, parts = state.model, state.critic.parts
    if not model.mode.adversarial_weight(state.config, state.stage):
        return
    sizes = model.mode.trained_sizes(sizes_of(model.reals), state.config)
    windows = window_sizes(sizes[: state.stage + 1], state.config.train_window, state.config.reach)
    height, width = windows[-1]
    channels = state.config.nc_im
    num = len(state.critic.views(torch.empty((1, channels, height, width), device="meta")))
    if num < len(parts):
        log.info(
            "stage %d: at %dx%d pixels %d of the %d scales of the critic are large enough",
            state.stage + 1, width, height, num, len(parts),
        )  # fmt: skip


def _summed(found: list[Terms]) -> Terms:
    """The sums of terms of one name."""
    if len(found) == 1:
        return found[0]
    return {name: torch.stack([terms[name] for terms in found]).sum() for name in found[0]}
