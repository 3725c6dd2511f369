"""One iteration: critic steps, then one gradient for the generator (paper section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from ConSinGAN import hardware, losses
from ConSinGAN.graphs import GraphedStep
from ConSinGAN.models import Critic
from ConSinGAN.noise import RandomStreams, draw_maps
from ConSinGAN.sampling import ImageModel

FRUGAL_PIXELS = 250_000


@dataclass
class Iteration:
    """One training iteration of the last stage; call it with the stage-0 input."""

    model: ImageModel
    critic: Critic
    optimizers: tuple[Optimizer, Optimizer]  # generator's, critic's
    streams: RandomStreams

    def __post_init__(self) -> None:
        generator, config = self.model.generator, self.model.config
        self.run_step = self.step
        if config.compile and self.model.device.type == "cuda":
            self.run_step = GraphedStep(self.step, self.optimizers)
        # A large fake is drawn again for the generator's step, when the critic's maps are gone.
        self.frugal = self.model.real[0, 0].numel() > FRUGAL_PIXELS
        generator.learners(config.train_depth)  # freezes the rest
        self.first = generator.trained_stages(config.train_depth).start
        self.frame = self.model.frame
        self.noise_shapes = generator.noise_shapes(self.frame)
        # What the frozen stages make of the fixed noise does not change.
        self.fixed_features = self._frozen_features(self.model.fixed_noise)

    def __call__(self, first_input: Tensor) -> dict[str, Tensor]:
        """Returns the losses, scalars, of the last critic step and of the generator."""
        model, coefficient = self.model, self.streams.coefficient
        dtype = model.generator.dtype
        noise = [first_input, *draw_maps(self.noise_shapes[1:], self.streams.noise, dtype)]
        coefficients = torch.rand(
            model.config.Dsteps, generator=coefficient, device=coefficient.device
        )
        return self.run_step(noise, coefficients)

    def step(self, noise: list[Tensor], coefficients: Tensor) -> dict[str, Tensor]:
        """The iteration proper. noise: of all stages; the list is emptied on the way.

        coefficients: of the gradient penalty, one per critic step.
        """
        config, critic, real = self.model.config, self.critic, self.model.real
        optimizer_g, optimizer_d = self.optimizers

        # One noise draw serves the whole iteration: the generator does not change before its end.
        features = self._frozen_features(noise)
        with torch.set_grad_enabled(not self.frugal):
            fake = self._generate(noise, features)
        critic.requires_grad_(True)
        for c in coefficients:
            if self.frugal:
                hardware.return_memory()
            loss_d = losses.critic_loss(critic, real, fake.detach(), c, config.lambda_grad)
            optimizer_d.zero_grad()
            loss_d.total.backward()
            optimizer_d.step()

        # One gradient of both losses, applied several times.
        critic.requires_grad_(False)
        optimizer_g.zero_grad()
        adversarial, gradient = losses.adversarial_loss(critic, fake)
        if self.frugal:
            fake = self._generate(noise, features)
        noise.clear()  # large, and not needed any more
        fake.backward(gradient)
        reconstruction = self._generate(self.model.fixed_noise, self.fixed_features)
        rec_loss = losses.reconstruction_loss(reconstruction, real, config.alpha)
        rec_loss.backward()
        for _ in range(config.Gsteps):
            optimizer_g.step()

        terms = {"real": loss_d.real, "fake": loss_d.fake, "penalty": loss_d.penalty}
        terms |= {"adversarial": adversarial, "reconstruction": rec_loss}
        return {name: value.detach() for name, value in terms.items()}

    @torch.no_grad()
    def _frozen_features(self, noise: list[Tensor]) -> Tensor | None:
        model = self.model
        if not self.first:
            return None
        return model.generator.advance(noise[: self.first], model.noise_amp, self.frame)

    def _generate(self, noise: list[Tensor], features: Tensor | None) -> Tensor:
        model = self.model
        if self.frugal:
            hardware.return_memory()
        x = model.generator.advance(noise, model.noise_amp, self.frame, self.first, features)
        return model.generator.render(x)
