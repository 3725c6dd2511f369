"""The networks that a configuration names."""

from __future__ import annotations

import torch
from torch import nn

from ConSinGAN import modes
from ConSinGAN.config import TrainConfig
from ConSinGAN.critics.base import Critic
from ConSinGAN.generators.base import Generator
from ConSinGAN.objectives.base import Objective
from ConSinGAN.registry import CRITICS, GENERATORS, OBJECTIVES

FILES = {"generator": "netG", "critic": "netD"}  # as the paper's code calls them; others as here


def make_generator(config: TrainConfig) -> Generator:
    """A fresh one-stage generator."""
    border = modes.get(config.train_mode).border
    return GENERATORS.load(config.generator).from_config(config, border)


def make_critic(config: TrainConfig) -> Critic:
    """A fresh critic."""
    return CRITICS.load(config.critic).from_config(config)


def make_objective(config: TrainConfig) -> Objective:
    """The objective, with its buffers as they are in the beginning."""
    return OBJECTIVES.load(config.objective)(config.options_of("objective"))


def make_networks(config: TrainConfig, num_stages: int = 1) -> dict[str, nn.Module]:
    """All modules whose tensors are a run's state, by name; the generator with so many stages."""
    networks: dict[str, nn.Module] = {"generator": make_generator(config)}
    networks |= {"critic": make_critic(config), "objective": make_objective(config)}
    for _ in range(num_stages - 1):
        networks["generator"].grow()
    return networks


def set_dtype(networks: dict[str, nn.Module], dtype: torch.dtype) -> None:
    """Let all networks compute in a type; their weights stay as they are."""
    for network in networks.values():
        if isinstance(network, (Generator, Critic)):
            network.dtype = dtype
