"""One iteration on a pair: what enters and what shall come out are different pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN.methods.judging import Judge
from ConSinGAN.noise import draw_maps
from ConSinGAN.objectives.base import Terms
from ConSinGAN.sources.base import Pair
from ConSinGAN.state import TrainingState


@dataclass
class Paired:
    """One training iteration of the last stage; call it with a pair.

    What the generator minimises is alpha times the mean absolute error, `adversarial` times what
    the objective says, and what the critic adds; with a weight of 0 the critic is left alone.
    """

    name = "paired"
    state: TrainingState

    def __post_init__(self) -> None:
        model = self.state.model
        self.model, self.config, self.critic = model, self.state.config, self.state.critic
        self.optimizers = self.state.optimizers
        self.judge = Judge(self.state)
        self.weight = model.mode.adversarial_weight(self.config, self.state.stage)
        model.generator.learners(self.config.train_depth)  # freezes the rest

    def __call__(self, pair: Pair) -> Terms:
        """Returns the losses, scalars."""
        generator, streams = self.model.generator, self.state.streams
        target = pair.target
        if target.shape == pair.entering.shape and torch.equal(target, pair.entering):
            return {"reconstruction": target.new_zeros(())}  # there is nothing to learn
        frame = generator.frame(pair.sizes)
        shapes = generator.noise_shapes(frame, len(target))
        noise = [pair.entering, *draw_maps(shapes[1:], streams.noise, generator.dtype)]
        drawn = generator(noise, self.model.noise_amp, frame)
        terms: Terms = {}
        gradient = torch.zeros_like(drawn)
        if self.weight:
            terms, gradient = self._judge(target, drawn)
        self.optimizers["generator"].zero_grad()
        error = self.config.alpha * F.l1_loss(drawn, target)
        (error + (drawn * gradient).sum()).backward()
        for _ in range(self.config.Gsteps):
            self.optimizers["generator"].step()
        return {**terms, "reconstruction": error.detach()}

    def _judge(self, target: Tensor, drawn: Tensor) -> tuple[Terms, Tensor]:
        """The critic's steps; its terms, and the gradient of what it makes the generator lose."""
        critic, judge = self.critic, self.judge
        chance = judge.draw_chance(self.state.streams)
        critic.requires_grad_(True)
        for i in range(self.config.Dsteps):
            terms = judge.critic_step(target, drawn, chance, i)
        critic.requires_grad_(False)
        fooling, gradient = judge.fool(target, drawn, chance)
        gradient = self.weight * gradient
        seen = drawn.detach().requires_grad_()
        matching = judge.reconstruction_loss(seen, target, chance)
        if matching is not None:
            gradient = gradient + torch.autograd.grad(matching, seen)[0]
            fooling["matching"] = matching.detach()
        return {**terms, **fooling}, gradient
