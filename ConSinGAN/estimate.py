"""How long will a run take on this machine? A few timed iterations, and arithmetic."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ConSinGAN import modes
from ConSinGAN.config import TrainConfig
from ConSinGAN.model import ImageModel
from ConSinGAN.modes.base import Mode
from ConSinGAN.networks import chance_of, generator_of, make_networks, set_dtype
from ConSinGAN.noise import RandomStreams, draw_maps
from ConSinGAN.pyramid import window_sizes
from ConSinGAN.registry import CRITICS, GENERATORS, METHODS
from ConSinGAN.sources.single import Single
from ConSinGAN.state import TrainingState, make_optimizers

log = logging.getLogger(__name__)

Size = tuple[int, int]  # (h, w)

# Stages that are timed: small ones cost calls, larger ones arithmetic.
PROBES: tuple[tuple[Size, ...], ...] = (((24, 36),), ((40, 60), (56, 84), (80, 120)))
REPEATS = 3  # timed iterations of each, after one to warm up


def work(config: TrainConfig, sizes: Sequence[Size]) -> float:
    """Products in one iteration of the last of the stages with these sizes, roughly.

    Counted are the convolutions between hidden maps. For a critic step a forward pass, a backward
    pass and a weight gradient of three pictures and the penalty's forward pass; for the generator
    the same three of two pictures in trained stages, a forward pass below, and both ways once
    through the critic.
    """
    sizes = window_sizes(sizes, config.train_window, config.reach)
    passes = GENERATORS.load(config.generator).work(config, len(sizes))
    passes[-1] += CRITICS.load(config.critic).work(config) * (10 * config.Dsteps + 2)
    pixels = sum(times * h * w for times, (h, w) in zip(passes, sizes, strict=True))
    return float(pixels * config.num_layer * config.nfc**2 * config.ker_size**2)


def products(config: TrainConfig, sizes: Sequence[Size]) -> float:
    """Products in a whole run, roughly."""
    return sum(config.iterations(i) * work(config, sizes[: i + 1]) for i in range(len(sizes)))


@dataclass(frozen=True)
class Speed:
    """What this machine does: an iteration takes `overhead` seconds and one for `rate` products."""

    overhead: float
    rate: float

    def seconds(
        self, config: TrainConfig, sizes: Sequence[Size], stage: int = 0, done: int = 0
    ) -> float:
        """What is left of a run in `stage`, after `done` iterations of it; sizes: of all stages."""
        return sum(
            (config.iterations(i) - (done if i == stage else 0))
            * (self.overhead + work(config, sizes[: i + 1]) / self.rate)
            for i in range(stage, len(sizes))
        )


def measure(config: TrainConfig, device: torch.device, dtype: torch.dtype) -> Speed:
    """Time iterations of small pictures with the configuration's networks.

    Nothing of a run is touched, torch's own random numbers neither. Takes a few seconds.
    """
    times = [_time(config, sizes, device, dtype) for sizes in PROBES]
    probed = dataclasses.replace(config, train_window=0)
    works = [work(probed, sizes) for sizes in PROBES]
    per_product = max(times[1] - times[0], 0.1 * times[1]) / (works[1] - works[0])
    return Speed(max(times[0] - works[0] * per_product, 0.0), 1 / per_product)


def _time(
    config: TrainConfig, sizes: Sequence[Size], device: torch.device, dtype: torch.dtype
) -> float:
    config = dataclasses.replace(config, compile=False, train_window=0)
    mode = modes.get(config.train_mode)
    random = torch.Generator(device).manual_seed(0)
    reals = [
        torch.rand((1, config.nc_im, *size), generator=random, device=device) * 2 - 1
        for size in sizes
    ]
    networks = {n: part.to(device) for n, part in make_networks(config, len(sizes)).items()}
    set_dtype(networks, dtype)
    streams = RandomStreams(0, device, chance_of(config, networks))
    model = ImageModel(config, mode, generator_of(networks), reals)
    first = model.fixed_input(streams)
    shapes = model.generator.noise_shapes(model.frame)
    model.fixed_noise = [first, *draw_maps(shapes[1:], streams.noise)]
    model.noise_amp = [0.1] * len(sizes)
    optimizers = make_optimizers(networks, config)
    method, source = METHODS.load(config.recipe.method(Mode.method)), Single(config)
    iterate = method(TrainingState(model, networks, streams, source, 0, optimizers))
    seconds = []
    for _ in range(1 + REPEATS):
        start = time.perf_counter()
        float(iterate(source.draw_input(model, streams))["fake"])
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
