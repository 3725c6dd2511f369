"""The networks that a configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import nn

from ConSinGAN import modes
from ConSinGAN.config import TrainConfig
from ConSinGAN.critics.augmentation import Augmentation
from ConSinGAN.critics.base import Critic
from ConSinGAN.generators.base import Generator
from ConSinGAN.layers import drawing_weights
from ConSinGAN.objectives.base import Objective
from ConSinGAN.registry import CRITICS, GENERATORS, OBJECTIVES

FILES = {"generator": "netG", "critic": "netD"}  # as the paper's code calls them; others as here


def make_generator(config: TrainConfig) -> Generator:
    """A fresh one-stage generator."""
    border = modes.get(config.train_mode).border
    return GENERATORS.load(config.generator).from_config(config, border)


def make_critic(config: TrainConfig, num_stages: int = 1) -> Critic:
    """A fresh critic for a generator of so many stages."""
    critic: Critic = CRITICS.load(config.critic).from_config(config)
    for _ in range(num_stages - 1):
        critic.grow()
    return critic


def make_objective(config: TrainConfig) -> Objective:
    """The objective, with its buffers as they are in the beginning."""
    return OBJECTIVES.load(config.objective)(config.options_of("objective"))


def generator_of(networks: Mapping[str, nn.Module]) -> Generator:
    """The network that draws."""
    return cast(Generator, networks["generator"])


def chance_of(config: TrainConfig, networks: Mapping[str, nn.Module]) -> tuple[str, ...]:
    """The names of the random streams that objective, critic and its augmentation need."""
    objective, critic = cast(Objective, networks["objective"]), cast(Critic, networks["critic"])
    return (*objective.chance, *critic.chance, *Augmentation.of(config).chance)


def make_networks(
    config: TrainConfig, num_stages: int = 1, seed: int | None = None
) -> dict[str, nn.Module]:
    """All modules whose tensors are a run's state, by name; the generator with so many stages.

    seed: of the initial weights, which then are the same whatever other threads do. What torch
    draws afterwards, for others, is as if nothing had been drawn here.
    """
    with drawing_weights(*([] if seed is None else [seed])):
        generator = make_generator(config)
        critic, objective = make_critic(config), make_objective(config)
    networks: dict[str, nn.Module] = {
        "generator": generator, "critic": critic, "objective": objective,
    }  # fmt: skip
    for _ in range(num_stages - 1):
        grow(networks)
    return networks


def grow(networks: Mapping[str, nn.Module]) -> None:
    """Let the generator have one stage more, and the critic be one for it."""
    generator_of(networks).grow()
    cast(Critic, networks["critic"]).grow()


def set_dtype(networks: dict[str, nn.Module], dtype: torch.dtype) -> None:
    """Let all networks compute in a type; their weights stay as they are."""
    for network in networks.values():
        for part in network.modules():
            if isinstance(part, (Generator, Critic)):
                part.dtype = dtype
