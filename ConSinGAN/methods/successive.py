"""One iteration where the stages below are frozen and drawn anew for every critic step (SinGAN)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ConSinGAN.fast.graphs import GraphedStep
from ConSinGAN.generators.singan import SinGANGenerator
from ConSinGAN.methods.adversarial import remembering
from ConSinGAN.methods.judging import Chance, Judge
from ConSinGAN.noise import draw, draw_maps
from ConSinGAN.objectives.base import Terms
from ConSinGAN.state import TrainingState


@dataclass
class Successive:
    """One training iteration of the last stage; call it with the stage-0 input.

    The stage's own noise is drawn once. What the stages below draw is another picture in every
    critic step; the generator's steps go on from the last of them. Every generator step has a
    gradient of its own, of a fake and a reconstruction that are computed anew.
    """

    name = "successive"
    state: TrainingState
    run_step: Callable[[list[Tensor], Chance], Terms] = field(init=False)

    def __post_init__(self) -> None:
        self.model, self.config, self.critic = (
            self.state.model, self.state.config, self.state.critic,
        )  # fmt: skip
        generator = self.model.generator
        assert isinstance(generator, SinGANGenerator)
        self.generator, self.stage = generator, self.state.stage
        self.optimizers = self.state.optimizers
        self.judge = Judge(self.state)
        generator.learners(self.config.train_depth)  # freezes the rest
        self.frame = self.model.frame
        self.amplitude = self.model.noise_amp[self.stage]
        # At stage 0 the reconstruction's noise is another one in every iteration.
        self.anew = self.stage == 0 and generator.remembers_noise
        self.fixed_previous = self._previous(self.model.fixed_noise[:-1])
        self.run_step = self.step
        if self.config.compile and self.model.device.type == "cuda":
            self.run_step = GraphedStep(self.step, list(self.optimizers.values()))

    def __call__(self, first_input: Tensor) -> Terms:
        """Returns the losses, scalars, of the last critic step and of the last generator step."""
        streams, dtype = self.state.streams, self.generator.dtype
        if self.stage == 0:
            noise = [first_input]
        else:
            steps = self.config.Dsteps
            more = [self._draw_input() for _ in range(steps - 1)]
            shapes = self.generator.noise_shapes(self.frame, steps)
            below = draw_maps(shapes[1:-1], streams.noise, dtype)
            own = draw((1, *shapes[-1][1:]), streams.noise, dtype)
            noise = [torch.cat([first_input, *more]), *below, own]
        if self.anew:
            self.model.fixed_noise[0] = self._draw_input()
        chance = self.judge.draw_chance(streams)
        return self.run_step([*noise, self.model.fixed_noise[-1]], chance)

    def step(self, noise: list[Tensor], chance: Chance) -> Terms:
        """The iteration proper. noise: of all stages, and the reconstruction's of the last."""
        *below, own, fixed = noise
        critic, real = self.critic, self.model.real
        previous = self._previous(below)  # one picture a critic step
        starts = [None] * self.config.Dsteps if previous is None else previous.split(1)
        critic.requires_grad_(True)
        for i, start in enumerate(starts):
            with torch.no_grad():
                fake = self._draw(own, start)
            terms = self.judge.critic_step(real, fake, chance, i)
        critic.requires_grad_(False)
        optimizer = self.optimizers["generator"]
        for _ in range(self.config.Gsteps):
            optimizer.zero_grad()
            fake = self._draw(own, starts[-1])
            fooling, gradient = self.judge.fool(real, fake, chance)
            fake.backward(gradient)
            drawn = self._draw(fixed, self.fixed_previous)
            loss, learnt = remembering(self.judge, drawn, real, self.config.alpha, chance)
            loss.backward()
            optimizer.step()
        return {**terms, **fooling, **learnt}

    def _draw_input(self) -> Tensor:
        return self.state.source.draw_input(self.model, self.state.streams)

    @torch.no_grad()
    def _previous(self, noise: list[Tensor]) -> Tensor | None:
        """What the stages below make of noise, enlarged; None if there are none."""
        if not self.stage:
            return None
        picture = self.generator.advance(noise, self.model.noise_amp, self.frame)
        return self.generator.enlarge(picture, self.stage, self.frame)

    def _draw(self, noise: Tensor, previous: Tensor | None) -> Tensor:
        return self.generator.draw_stage(self.stage, noise, self.amplitude, previous, self.frame)
