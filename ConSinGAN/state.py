"""Everything that the rest of a training run depends on, and how it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ConSinGAN import averaging, migrate
from ConSinGAN.config import TrainConfig
from ConSinGAN.critics.base import Critic
from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.generators.base import Generator, Group
from ConSinGAN.model import ImageModel
from ConSinGAN.networks import grow, make_networks
from ConSinGAN.noise import RandomStreams
from ConSinGAN.objectives.base import Objective
from ConSinGAN.sources.base import Source

Networks = dict[str, nn.Module]
Optimizers = dict[str, Optimizer]  # of the networks that learn, by the network's name

MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what Adam keeps of every parameter


class Diverged(ConSinGANError):
    """A loss or a weight is not a finite number any more."""


def make_optimizers(networks: Mapping[str, nn.Module], config: TrainConfig) -> Optimizers:
    """Adam for every network that has weights, new at every stage; the generator's by stages."""
    optimizers: Optimizers = {}
    for name, network in networks.items():
        if isinstance(network, Generator):
            groups, rate = network.learners(config.train_depth), config.lr_g
        else:
            groups, rate = [Group("all", list(network.parameters()), 0)], config.lr_d
        if not any(group.parameters for group in groups):
            continue
        device = groups[0].parameters[0].device
        optimizers[name] = Adam(
            [
                {"name": g.name, "params": g.parameters, "lr": rate * config.lr_scale**g.depth}
                for g in groups
            ],
            betas=(config.beta1, 0.999), fused=True, capturable=device.type == "cuda",
        )  # fmt: skip
        for group in optimizers[name].param_groups:
            group["initial_lr"] = group["lr"]
    return optimizers


def set_learning_rates(
    optimizers: Optimizers, iteration: int, niter: int, config: TrainConfig
) -> None:
    """The learning rates of one of a stage's `niter` iterations (0-based).

    They are multiplied by gamma from 80 % of the stage on.
    """
    factor = config.gamma if iteration >= round(0.8 * niter) else 1.0
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor


@dataclass
class TrainingState:
    """A run in progress. Its last stage has done `iteration` iterations.

    networks: all modules whose tensors belong to the state, the model's generator among them.
    """

    model: ImageModel
    networks: Networks
    streams: RandomStreams
    source: Source
    iteration: int = 0
    optimizers: Optimizers = field(default_factory=dict)  # the stage's; none between stages

    @property
    def config(self) -> TrainConfig:
        """The run's configuration."""
        return self.model.config

    @property
    def stage(self) -> int:
        """The stage that is being trained, 0-based."""
        return self.model.generator.num_stages - 1

    @property
    def niter(self) -> int:
        """How many iterations the stage gets."""
        return self.config.iterations(self.stage)

    @property
    def critic(self) -> Critic:
        """The network that judges."""
        return cast(Critic, self.networks["critic"])

    @property
    def objective(self) -> Objective:
        """What is minimised."""
        return cast(Objective, self.networks["objective"])

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """All of it as tensors, and the position as texts.

        Raises Diverged if a weight is not finite: such a state is worth nothing.
        """
        tensors: dict[str, Tensor] = {}
        for name, network in self.networks.items():
            tensors |= _prefixed(name, network.state_dict())
        if not all(bool(torch.isfinite(weight).all()) for weight in tensors.values()):
            raise Diverged("the weights are not finite")
        for name, parameter, optimizer in self._optimised():
            tensors |= _prefixed(f"adam.{name}", optimizer.state.get(parameter, {}))
        tensors |= {f"fixed.{i}": z for i, z in enumerate(self.model.fixed_noise)}
        tensors["amplitudes"] = torch.tensor(self.model.noise_amp, dtype=torch.float64)
        tensors |= _prefixed("streams", self.streams.state_dict())
        return tensors, {"stage": str(self.stage), "iteration": str(self.iteration)}

    def restore(self, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
        """Become the state that was written; this one must be the run's beginning.

        Raises UsageError if the tensors do not fit the run's configuration.
        """
        try:
            self._restore(migrate.checkpoint(tensors), about)
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise misfit(error) from error

    def _restore(self, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
        model, device = self.model, self.model.device
        stage, self.iteration = int(about["stage"]), int(about["iteration"])
        if not (self.stage <= stage < self.config.train_stages):
            raise ValueError(f"stage {stage}")
        if not (0 <= self.iteration <= self.config.iterations(stage)):
            raise ValueError(f"iteration {self.iteration}")
        while self.stage < stage:
            grow(self.networks)
        for name, network in self.networks.items():
            network.load_state_dict(_without_prefix(name, tensors))
        model.fixed_noise = [tensors[f"fixed.{i}"].to(device) for i in range(stage + 1)]
        model.noise_amp = tensors["amplitudes"].tolist()
        self.streams.load_state_dict(_without_prefix("streams", tensors))
        shapes = model.generator.noise_shapes(model.frame)
        if [tuple(z.shape) for z in model.fixed_noise] != shapes:
            raise ValueError("fixed noise")
        if tensors["amplitudes"].shape != (stage + 1,):
            raise ValueError("amplitudes")
        self.optimizers = make_optimizers(self.networks, self.config)
        for name, parameter, optimizer in self._optimised():
            state = _without_prefix(f"adam.{name}", tensors)
            if state:
                found = {key: tuple(value.shape) for key, value in state.items()}
                wanted = dict.fromkeys((*MOMENTS, averaging.KEY), tuple(parameter.shape))
                wanted["step"] = ()
                if not set(MOMENTS) <= set(found) or not found.items() <= wanted.items():
                    raise ValueError(name)
                optimizer.state[parameter] = {k: v.to(device) for k, v in state.items()}

    def _optimised(self) -> list[tuple[str, nn.Parameter, Optimizer]]:
        """Every parameter that an optimiser holds, by a unique name."""
        found = []
        for network, optimizer in self.optimizers.items():
            names = {id(p): name for name, p in self.networks[network].named_parameters()}
            found += [
                (f"{network}.{names[id(parameter)]}", parameter, optimizer)
                for group in optimizer.param_groups
                for parameter in group["params"]
            ]
        return found


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": value for name, value in tensors.items()}


def _without_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {name[len(start) :]: v for name, v in tensors.items() if name.startswith(start)}


def misfit(error: object) -> UsageError:
    """The error for a checkpoint that is whole and yet cannot be."""
    return UsageError(f"the checkpoint does not fit config.yaml ({error})")


def check_fits(
    config: TrainConfig, tensors: Mapping[str, Tensor], about: Mapping[str, str]
) -> None:
    """Compare a checkpoint's weights with what the configuration makes, without taking memory.

    Raises UsageError if they differ or if a tensor is not of the type that training has.
    """
    try:
        num_stages = min(int(about["stage"]) + 1, config.train_stages)
    except (KeyError, ValueError) as error:
        raise misfit(error) from error
    with torch.device("meta"):
        networks = make_networks(config, num_stages)
    for name, network in networks.items():
        weights = _without_prefix(name, tensors)
        wanted = {key: (value.shape, value.dtype) for key, value in network.state_dict().items()}
        if wanted != {key: (value.shape, value.dtype) for key, value in weights.items()}:
            raise misfit(f"weights of the {name}")
    kinds = {
        "streams": {torch.uint8},
        "amplitudes": {torch.float64},
        "fixed": {torch.float32, torch.bfloat16},  # the later stages' in the compute type
    }
    for name, tensor in tensors.items():
        part = name.partition(".")[0]
        if part not in networks and tensor.dtype not in kinds.get(part, {torch.float32}):
            raise misfit(name)
