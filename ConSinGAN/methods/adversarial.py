"""One iteration: critic steps, then one gradient for the generator (paper section 3)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN import hardware
from ConSinGAN.critics.base import Clear, Critic
from ConSinGAN.errors import UsageError
from ConSinGAN.fast.graphs import GraphedStep
from ConSinGAN.fast.wgan_gp import quicken
from ConSinGAN.methods.judging import critic_step
from ConSinGAN.model import ImageModel
from ConSinGAN.noise import RandomStreams, draw_maps
from ConSinGAN.objectives.base import Objective, Terms
from ConSinGAN.state import TrainingState

log = logging.getLogger(__name__)

FRUGAL_PIXELS = 250_000
LEAST_CLEAR = 0.25  # of what the critic looks at; of less, sky only, it learns that all is sky

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
        self.clear, self.known = self._what_is_known()
        self.judged = self.clear is None or self.clear.share >= LEAST_CLEAR
        if not self.judged:
            log.info(
                "stage %d: the critic would see the hole nearly wherever it looks; this stage goes "
                "without it", self.state.stage + 1,
            )  # fmt: skip
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
        if not self.judged:
            noise.clear()
            self.optimizers["generator"].zero_grad()
            return self._learn()
        config, critic, real = self.config, self.critic, self.model.real
        where = {} if self.clear is None else {"clear": self.clear}

        # One noise draw serves the whole iteration: the generator does not change before its end.
        features = self._frozen_features(noise)
        with torch.set_grad_enabled(not self.frugal):
            fake = self._generate(noise, features)
        critic.requires_grad_(True)
        for i in range(config.Dsteps):
            if self.frugal:
                hardware.return_memory()
            numbers = {name: values[i] for name, values in chance.items()}
            terms = critic_step(self.objective, critic, self.judging, real, fake, numbers, **where)

        # One gradient of both losses, applied several times.
        critic.requires_grad_(False)
        self.optimizers["generator"].zero_grad()
        fooling, gradient = self.objective.fool(critic, real, fake)
        if self.frugal:
            fake = self._generate(noise, features)
        noise.clear()  # large, and not needed any more
        fake.backward(gradient)
        return {**terms, **fooling, **self._learn()}

    def _learn(self) -> Terms:
        """Add the reconstruction's gradient to the generator's, and let it learn."""
        reconstruction = self._generate(self.model.fixed_noise, self.fixed_features)
        real, config = self.model.real, self.config
        loss = reconstruction_loss(reconstruction, real, config.alpha, self.known)
        loss.backward()
        for _ in range(config.Gsteps):
            self.optimizers["generator"].step()
        return {"reconstruction": loss.detach()}

    def _what_is_known(self) -> tuple[Clear | None, Tensor | None]:
        """Where critic and reconstruction may look, if the picture has a hole.

        Raises UsageError if critic or objective cannot leave one out.
        """
        model = self.model
        if model.holes is None:
            return None, None
        return clear_of_hole(self.objective, self.critic, model.hole), (~model.hole).float()

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


def clear_of_hole(objective: Objective, critic: Critic, hole: Tensor) -> Clear:
    """`Critic.clear_of`. Raises UsageError if the objective or the critic cannot leave it out."""
    if not objective.leaves_out:
        raise UsageError(f"`objective` {objective.name}: cannot leave a hole out of the picture")
    return critic.clear_of(hole)


def reconstruction_loss(
    reconstruction: Tensor, real: Tensor, weight: float, known: Tensor | None = None
) -> Tensor:
    """weight (the paper's alpha) times the mean squared error, of the `known` pixels if given."""
    if known is None:
        return weight * F.mse_loss(reconstruction, real)
    errors = (reconstruction - real).square() * known
    return weight * errors.sum() / (known.sum() * real.shape[1])


def noise_amplitude(model: ImageModel) -> float:
    """The amplitude of a new stage's noise: a factor times the root mean squared error."""
    known = None if model.holes is None else (~model.hole).float()
    error = reconstruction_loss(model.draft(), model.real, 1.0, known)
    return model.config.noise_amp * error.sqrt().item()
