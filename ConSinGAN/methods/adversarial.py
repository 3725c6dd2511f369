"""One iteration: critic steps, then one gradient for the generator (paper section 3)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN import hardware
from ConSinGAN.fast.graphs import GraphedStep
from ConSinGAN.methods.judging import Chance, Judge
from ConSinGAN.methods.windows import View, Windows, frozen_features
from ConSinGAN.model import ImageModel
from ConSinGAN.noise import draw_maps
from ConSinGAN.objectives.base import Terms
from ConSinGAN.pyramid import window_sizes
from ConSinGAN.state import TrainingState

log = logging.getLogger(__name__)

FRUGAL_PIXELS = 250_000


@dataclass
class Adversarial:
    """One training iteration of the last stage; call it with the stage-0 input."""

    name = "adversarial"
    takes_windows = True
    state: TrainingState
    run_step: Callable[[list[Tensor], Chance], Terms] = field(init=False)
    view: View = field(init=False)  # what this iteration looks at

    def __post_init__(self) -> None:
        model, config = self.state.model, self.state.config
        generator, self.model, self.critic = model.generator, model, self.state.critic
        self.config, self.optimizers = config, self.state.optimizers
        self.judge = Judge(self.state, None if model.holes is None else model.hole)
        if not self.judge.judges:
            log.info(
                "stage %d: the critic would see the hole nearly wherever it looks; this stage goes "
                "without it", self.state.stage + 1,
            )  # fmt: skip
        elif not all(self.judge.counting):
            log.info(
                "stage %d: %d of the critic's %d scales would see the hole nearly wherever they "
                "look, and are left out", self.state.stage + 1,
                self.judge.counting.count(False), len(self.judge.counting),
            )  # fmt: skip
        generator.learners(config.train_depth)  # freezes the rest
        self.first = generator.trained_stages(config.train_depth).start
        self.view = View.whole(model, self.first)
        self.windows = Windows.of(model, self.view, self.first)
        self.run_step = self.step
        if config.compile and model.device.type == "cuda" and self.windows is None:
            self.run_step = GraphedStep(self.step, list(self.optimizers.values()))
        # A large fake is drawn again for the generator's step, when the critic's maps are gone and
        # their memory can be given back, which only processors' allocators need.
        on_processor = model.device.type == "cpu"
        height, width = window_sizes(model.sizes, config.train_window, config.reach)[-1]
        self.frugal = on_processor and height * width > FRUGAL_PIXELS

    def __call__(self, first_input: Tensor) -> Terms:
        """Returns the losses, scalars, of the last critic step and of the generator."""
        streams, dtype = self.state.streams, self.model.generator.dtype
        if self.windows is not None:
            self.view = self.windows.draw(streams.augmentation)
            first_input = self.view.enter(first_input)
        noise = [first_input, *draw_maps(self.view.noise_shapes[1:], streams.noise, dtype)]
        return self.run_step(noise, self.judge.draw_chance(streams))

    def step(self, noise: list[Tensor], chance: Chance) -> Terms:
        """The iteration proper. noise: of all stages; the list is emptied on the way."""
        if not self.judge.judges:
            noise.clear()
            self.optimizers["generator"].zero_grad()
            return self._learn(chance)
        config, critic, real = self.config, self.critic, self.view.real

        # One noise draw serves the whole iteration: the generator does not change before its end.
        features = self._frozen_features(noise)
        with torch.set_grad_enabled(not self.frugal):
            fake = self._generate(noise, features)
        critic.requires_grad_(True)
        for i in range(config.Dsteps):
            if self.frugal:
                hardware.return_memory()
            terms = self.judge.critic_step(real, fake, chance, i)

        # One gradient of both losses, applied several times.
        critic.requires_grad_(False)
        self.optimizers["generator"].zero_grad()
        fooling, gradient = self.judge.fool(real, fake, chance)
        if self.frugal:
            fake = self._generate(noise, features)
        noise.clear()  # large, and not needed any more
        fake.backward(gradient)
        return {**terms, **fooling, **self._learn(chance)}

    def _learn(self, chance: Chance) -> Terms:
        """Add the reconstruction's gradient to the generator's, and let it learn."""
        reconstruction = self._generate(self.view.anchor, self.view.features)
        real, config, judge = self.view.real, self.config, self.judge
        loss, terms = remembering(judge, reconstruction, real, config.alpha, chance)
        loss.backward()
        for _ in range(config.Gsteps):
            self.optimizers["generator"].step()
        return terms

    def _frozen_features(self, noise: list[Tensor]) -> Tensor | None:
        return frozen_features(self.model, noise, self.view.frame, self.first)

    def _generate(self, noise: list[Tensor], features: Tensor | None) -> Tensor:
        if self.frugal:
            hardware.return_memory()
        generator, amplitudes = self.model.generator, self.model.noise_amp
        frame = self.view.frame
        state = generator.advance(noise, amplitudes, frame, self.first, features)
        return generator.render(state, frame, noise[0])


def reconstruction_loss(
    reconstruction: Tensor, real: Tensor, weight: float, known: Tensor | None = None
) -> Tensor:
    """weight (the paper's alpha) times the mean squared error, of the `known` pixels if given."""
    if known is None:
        return weight * F.mse_loss(reconstruction, real)
    errors = (reconstruction - real).square() * known
    return weight * errors.sum() / (known.sum() * real.shape[1])


def remembering(
    judge: Judge, reconstruction: Tensor, real: Tensor, weight: float, chance: Chance
) -> tuple[Tensor, Terms]:
    """`reconstruction_loss` and what the critic adds to it, if anything; both as terms."""
    loss = reconstruction_loss(reconstruction, real, weight, judge.known)
    terms = {"reconstruction": loss.detach()}
    more = judge.reconstruction_loss(reconstruction, real, chance) if judge.judges else None
    if more is not None:
        loss, terms["matching"] = loss + more, more.detach()
    return loss, terms


def draft_error(model: ImageModel) -> Tensor:
    """Mean squared error of the picture that is below a new stage; a scalar."""
    return reconstruction_loss(model.draft(), model.real, 1.0, _known(model))


def has_collapsed(model: ImageModel, error: Tensor) -> bool:
    """Whether a picture of one colour were nearer to the real one than what has this error.

    As where every output is at a bound of tanh, which lets no gradient through.
    """
    known = _known(model)
    pixels = torch.ones_like(model.real[:, :1]) if known is None else known
    mean = (model.real * pixels).sum((2, 3), keepdim=True) / pixels.sum()
    return bool(error >= reconstruction_loss(mean, model.real, 1.0, pixels))


def _known(model: ImageModel) -> Tensor | None:
    """1 where the real picture may be looked at, else 0; None: everywhere."""
    return None if model.holes is None else (~model.hole).float()
