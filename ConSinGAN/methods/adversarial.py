"""One iteration: critic steps, then one gradient for the generator (paper section 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN import hardware
from ConSinGAN.fast.graphs import GraphedStep
from ConSinGAN.fast.wgan_gp import quicken
from ConSinGAN.model import ImageModel
from ConSinGAN.noise import RandomStreams, draw_maps
from ConSinGAN.objectives.base import Terms
from ConSinGAN.state import TrainingState

FRUGAL_PIXELS = 250_000

Chance = Mapping[str, Tensor]  # random numbers by stream, the first axis being the critic's steps


@dataclass
class Adversarial:
    """One training iteration of the last stage; call it with the stage-0 input."""

    name = "adversarial"
    state: TrainingState
    run_step: Callable[[list[Tensor], Chance], Terms] = field(init=False)

    def __post_init__(self) -> None:
        model, config = self.state.model, self.state.config
        generator, self.model, self.critic = model.generator, model, self.state.critic
        self.config, self.optimizers = config, self.state.optimizers
        # The critic's, and that of an objective which has weights of its own.
        self.judging = [o for name, o in self.optimizers.items() if name != "generator"]
        self.objective = quicken(self.state.objective, self.critic)
        self.run_step = self.step
        if config.compile and model.device.type == "cuda":
            self.run_step = GraphedStep(self.step, list(self.optimizers.values()))
        # A large fake is drawn again for the generator's step, when the critic's maps are gone and
        # their memory can be given back, which only processors' allocators need.
        on_processor = model.device.type == "cpu"
        self.frugal = on_processor and model.real[0, 0].numel() > FRUGAL_PIXELS
        generator.learners(config.train_depth)  # freezes the rest
        self.first = generator.trained_stages(config.train_depth).start
        self.frame = model.frame
        self.noise_shapes = generator.noise_shapes(self.frame)
        # What the frozen stages make of the fixed noise does not change.
        self.fixed_features = self._frozen_features(model.fixed_noise)

    def __call__(self, first_input: Tensor) -> Terms:
        """Returns the losses, scalars, of the last critic step and of the generator."""
        streams, dtype = self.state.streams, self.model.generator.dtype
        noise = [first_input, *draw_maps(self.noise_shapes[1:], streams.noise, dtype)]
        return self.run_step(noise, self.draw_chance(streams))

    def draw_chance(self, streams: RandomStreams) -> dict[str, Tensor]:
        """The random numbers that the objective needs for all critic steps of an iteration."""
        chance = {}
        for name, shape in self.objective.chance.items():
            stream = streams.generators[name]
            shape = (self.config.Dsteps, *shape)
            chance[name] = torch.rand(shape, generator=stream, device=stream.device)
        return chance

    def step(self, noise: list[Tensor], chance: Chance) -> Terms:
        """The iteration proper. noise: of all stages; the list is emptied on the way."""
        config, critic, real = self.config, self.critic, self.model.real

        # One noise draw serves the whole iteration: the generator does not change before its end.
        features = self._frozen_features(noise)
        with torch.set_grad_enabled(not self.frugal):
            fake = self._generate(noise, features)
        critic.requires_grad_(True)
        for i in range(config.Dsteps):
            if self.frugal:
                hardware.return_memory()
            for optimizer in self.judging:
                optimizer.zero_grad()
            numbers = {name: values[i] for name, values in chance.items()}
            terms = self.objective.critic_step(critic, real, fake.detach(), numbers)
            for optimizer in self.judging:
                optimizer.step()
            self.objective.after_critic(critic)

        # One gradient of both losses, applied several times.
        critic.requires_grad_(False)
        self.optimizers["generator"].zero_grad()
        fooling, gradient = self.objective.fool(critic, real, fake)
        if self.frugal:
            fake = self._generate(noise, features)
        noise.clear()  # large, and not needed any more
        fake.backward(gradient)
        reconstruction = self._generate(self.model.fixed_noise, self.fixed_features)
        loss = reconstruction_loss(reconstruction, real, config.alpha)
        loss.backward()
        for _ in range(config.Gsteps):
            self.optimizers["generator"].step()
        return {**terms, **fooling, "reconstruction": loss.detach()}

    @torch.no_grad()
    def _frozen_features(self, noise: list[Tensor]) -> Tensor | None:
        if not self.first:
            return None
        model = self.model
        return model.generator.advance(noise[: self.first], model.noise_amp, self.frame)

    def _generate(self, noise: list[Tensor], features: Tensor | None) -> Tensor:
        if self.frugal:
            hardware.return_memory()
        generator, amplitudes = self.model.generator, self.model.noise_amp
        state = generator.advance(noise, amplitudes, self.frame, self.first, features)
        return generator.render(state, self.frame, noise[0])


def reconstruction_loss(reconstruction: Tensor, real: Tensor, weight: float) -> Tensor:
    """weight (the paper's alpha) times the mean squared error."""
    return weight * F.mse_loss(reconstruction, real)


def noise_amplitude(model: ImageModel) -> float:
    """The amplitude of a new stage's noise: a factor times the root mean squared error."""
    error = F.mse_loss(model.reconstruct(), model.real)
    return model.config.noise_amp * error.sqrt().item()
