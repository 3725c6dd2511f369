"""Training: grow the generator stage by stage, each against a critic of its own (paper section 3).

One loop serves every mode and fine-tuning; what differs comes from the mode's hooks and from the
state that training starts in.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import MultiStepLR

from ConSinGAN import hardware, images, losses, modes
from ConSinGAN.config import TrainConfig
from ConSinGAN.graphs import GraphedStep
from ConSinGAN.models import Critic
from ConSinGAN.modes.base import Naive
from ConSinGAN.monitor import StageMonitor
from ConSinGAN.noise import RandomStreams
from ConSinGAN.resize import resize
from ConSinGAN.run import RunDirectory
from ConSinGAN.sampling import ImageModel, make_critic, make_generator

log = logging.getLogger(__name__)


def train(config: TrainConfig) -> RunDirectory:
    """Train a model as configured and return its run directory.

    Everything that can be wrong with flags and files raises UsageError before anything is written.
    """
    hardware.tune()
    device = hardware.select_device(config)
    dtype = hardware.select_precision(config.precision, device)
    torch.manual_seed(config.manualSeed)  # initial weights
    streams = RandomStreams(config.manualSeed, device)
    model, critic = start(config, device, streams)
    model.generator.dtype = critic.dtype = dtype
    naive = model.mode.read_naive(config, tuple(model.reals[-1].shape[-2:]))

    run = RunDirectory.create(config, hardware.describe(device))
    log.info("%s on %s, %s: %s", config.train_mode, hardware.describe(device), dtype, run.path)
    run.save_pictures(model.reals)
    while True:
        train_stage(model, critic, run, streams, naive)
        run.save_stage(model, critic)
        if model.generator.num_stages == config.train_stages:
            break
        model.generator.grow()
    sheet = images.make_sheet([model.reals[-1], model.reconstruct(), *model.sample(9)], columns=4)
    images.save_image(sheet, run.path / "sample_sheet.png")
    return run


def start(
    config: TrainConfig, device: torch.device, streams: RandomStreams
) -> tuple[ImageModel, Critic]:
    """The state that training starts in: one fresh stage, or a trained model to fine-tune."""
    mode = modes.get(config.train_mode)
    picture = images.read_image(config.input_name, config.nc_im)
    reals = [real.to(device) for real in mode.make_pyramid(picture, config)]
    if not config.fine_tune:
        generator = make_generator(config, mode).to(device)
        return ImageModel(config, mode, generator, reals), make_critic(config).to(device)
    saved = RunDirectory.open(config.model_dir)
    model = saved.load_model(device)
    critic = saved.load_critic(model.config, device)
    if [r.shape for r in reals] != [r.shape for r in model.reals]:  # another picture: new noise
        model.reals = reals
        model.fixed_noise = [
            mode.fixed_input(reals[0], streams),
            *model.noise_shape.draw(model.sizes, streams.noise, first=1),
        ]
    model.config, model.mode, model.reals = config, mode, reals
    return model, critic


def make_optimizers(
    model: ImageModel, critic: Critic, config: TrainConfig
) -> tuple[Optimizer, Optimizer, list[MultiStepLR]]:
    """Adam for the generator's trained stages and for the critic, and their schedules."""
    groups = model.generator.parameter_groups(config.train_depth, config.lr_g, config.lr_scale)
    betas = (config.beta1, 0.999)
    kernel = {"fused": True, "capturable": model.device.type == "cuda"}
    optimizer_g = Adam(groups, betas=betas, **kernel)
    optimizer_d = Adam(critic.parameters(), lr=config.lr_d, betas=betas, **kernel)
    schedules = [make_schedule(optimizer, config) for optimizer in (optimizer_g, optimizer_d)]
    return optimizer_g, optimizer_d, schedules


def make_schedule(optimizer: Optimizer, config: TrainConfig) -> MultiStepLR:
    """The learning rate times gamma from 80 % of the stage's iterations on."""
    return MultiStepLR(optimizer, [round(0.8 * config.niter)], config.gamma)


def begin_stage(model: ImageModel, streams: RandomStreams) -> None:
    """Draw the new stage's fixed noise and measure its amplitude (nothing to do when fine-tuning).

    The amplitude is proportional to the error of the reconstruction before the stage is trained.
    """
    stage = model.generator.num_stages - 1
    if len(model.fixed_noise) > stage:
        return
    if stage == 0:
        model.fixed_noise.append(model.mode.fixed_input(model.reals[0], streams))
        model.noise_amp.append(1.0)
        return
    model.fixed_noise += model.noise_shape.draw(model.sizes, streams.noise, first=stage)
    model.noise_amp.append(0.0)
    factor = model.config.noise_amp
    model.noise_amp[stage] = losses.noise_amplitude(model.reconstruct(), model.real, factor)


@dataclass
class Iteration:
    """One training iteration of the last stage; call it with the stage-0 input."""

    model: ImageModel
    critic: Critic
    optimizer_g: Optimizer
    optimizer_d: Optimizer
    streams: RandomStreams

    def __post_init__(self) -> None:
        generator, config = self.model.generator, self.model.config
        self.run_step = self.step
        if config.compile and self.model.device.type == "cuda":
            self.run_step = GraphedStep(self.step, (self.optimizer_g, self.optimizer_d))
        generator.freeze(config.train_depth)
        self.first = generator.trained_stages(config.train_depth).start
        # What the frozen stages make of the fixed noise does not change.
        self.fixed_features = self._frozen_features(self.model.fixed_noise)

    def _frozen_features(self, noise: list[Tensor]) -> Tensor | None:
        with torch.no_grad():
            model = self.model
            return model.generator.features(noise[: self.first], model.sizes, model.noise_amp)

    def _generate(self, noise: list[Tensor], features: Tensor | None) -> Tensor:
        model = self.model
        x = model.generator.features(noise, model.sizes, model.noise_amp, self.first, features)
        return model.generator.render(x)

    def __call__(self, first_input: Tensor) -> dict[str, Tensor]:
        """Returns the losses, scalars, of the last critic step and of the generator."""
        shape, dtype = self.model.noise_shape, self.model.generator.dtype
        noise = shape.draw(self.model.sizes, self.streams.noise, first=1, dtype=dtype)
        return self.run_step([first_input, *noise], self._draw_coefficients())

    def _draw_coefficients(self) -> Tensor:
        coefficient = self.streams.coefficient
        steps = self.model.config.Dsteps
        return torch.rand(steps, generator=coefficient, device=coefficient.device)

    def step(self, noise: list[Tensor], coefficients: Tensor) -> dict[str, Tensor]:
        """The iteration proper. coefficients: of the gradient penalty, one per critic step."""
        config, critic, real = self.model.config, self.critic, self.model.real

        # One noise draw serves the whole iteration: the generator does not change before its end.
        fake = self._generate(noise, self._frozen_features(noise))
        critic.requires_grad_(True)
        for coefficient in coefficients:
            loss_d = losses.critic_loss(
                critic, real, fake.detach(), coefficient, config.lambda_grad
            )
            self.optimizer_d.zero_grad()
            loss_d.total.backward()
            self.optimizer_d.step()

        # One gradient of both losses, applied several times.
        critic.requires_grad_(False)
        self.optimizer_g.zero_grad()
        adversarial = losses.adversarial_loss(critic, fake)
        adversarial.backward()
        reconstruction = self._generate(self.model.fixed_noise, self.fixed_features)
        rec_loss = losses.reconstruction_loss(reconstruction, real, config.alpha)
        rec_loss.backward()
        for _ in range(config.Gsteps):
            self.optimizer_g.step()

        terms = {"real": loss_d.real, "fake": loss_d.fake, "penalty": loss_d.penalty}
        terms |= {"adversarial": adversarial, "reconstruction": rec_loss}
        return {name: value.detach() for name, value in terms.items()}


def train_stage(
    model: ImageModel,
    critic: Critic,
    run: RunDirectory,
    streams: RandomStreams,
    naive: Naive | None = None,
) -> None:
    """Train the generator's last stage, and the few below it, for `niter` iterations."""
    config, mode = model.config, model.mode
    stage = model.generator.num_stages - 1
    folder = run.stage(stage)
    begin_stage(model, streams)
    optimizer_g, optimizer_d, schedules = make_optimizers(model, critic, config)
    iteration = Iteration(model, critic, optimizer_g, optimizer_d, streams)
    draw_input = input_source(model, streams, naive)
    with StageMonitor(stage, config.train_stages, model.sizes[-1], config.niter, folder) as monitor:
        for i in range(config.niter):
            terms = iteration(draw_input())
            for schedule in schedules:
                schedule.step()
            monitor.update(i, terms)
            if (i + 1) % config.preview_every == 0 or i + 1 == config.niter:
                previews = RandomStreams([1, config.manualSeed, stage, i], model.device)
                mode.preview(model, folder, i + 1, previews, naive)


def input_source(model: ImageModel, streams: RandomStreams, naive: Naive | None) -> callable:
    """What enters stage 0 in each iteration: the mode's draw; in fine-tuning the naive picture."""
    if not model.config.fine_tune:
        return lambda: model.mode.draw_input(model.reals[0], streams)
    coarsest = resize(naive.picture, size=model.sizes[0]).to(model.device)
    return lambda: model.mode.naive_input(coarsest, streams)
