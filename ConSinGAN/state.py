"""Everything that the rest of a training run depends on, and how it is written down."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ConSinGAN import modes
from ConSinGAN.config import TrainConfig
from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.models import Critic
from ConSinGAN.noise import RandomStreams
from ConSinGAN.options import build
from ConSinGAN.sampling import ImageModel, make_critic, make_generator

log = logging.getLogger(__name__)


class Diverged(ConSinGANError):
    """A loss or a weight is not a finite number any more."""


def make_optimizers(
    model: ImageModel, critic: Critic, config: TrainConfig
) -> tuple[Optimizer, Optimizer]:
    """Adam for the generator's trained stages and for the critic, new at every stage."""
    groups = [
        {"name": g.name, "params": g.parameters, "lr": config.lr_g * config.lr_scale**g.depth}
        for g in model.generator.learners(config.train_depth)
    ]
    kernel = {"fused": True, "capturable": model.device.type == "cuda"}
    betas = (config.beta1, 0.999)
    optimizer_d = Adam(critic.parameters(), lr=config.lr_d, betas=betas, **kernel)
    for optimizer in (optimizer_g := Adam(groups, betas=betas, **kernel), optimizer_d):
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return optimizer_g, optimizer_d


def set_learning_rates(
    optimizers: tuple[Optimizer, Optimizer], iteration: int, config: TrainConfig
) -> None:
    """The learning rates of one iteration (0-based): times gamma from 80 % of the stage on."""
    factor = config.gamma if iteration >= round(0.8 * config.niter) else 1.0
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor


@dataclass
class TrainingState:
    """A run in progress. Its last stage has done `iteration` iterations."""

    model: ImageModel
    critic: Critic
    streams: RandomStreams
    iteration: int = 0
    optimizers: tuple[Optimizer, Optimizer] | None = None  # the stage's; None between stages

    @property
    def stage(self) -> int:
        """The stage that is being trained, 0-based."""
        return self.model.generator.num_stages - 1

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """All of it as tensors, and the position as texts.

        Raises Diverged if a weight is not finite: such a state is worth nothing.
        """
        weights = _prefixed("generator", self.model.generator.state_dict())
        weights |= _prefixed("critic", self.critic.state_dict())
        if not all(bool(torch.isfinite(weight).all()) for weight in weights.values()):
            raise Diverged("the weights are not finite")
        tensors = dict(weights)
        for name, parameter, optimizer in self._optimised():
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"adam.{name}.{key}"] = value
        tensors |= {f"fixed.{i}": z for i, z in enumerate(self.model.fixed_noise)}
        tensors["amplitudes"] = torch.tensor(self.model.noise_amp, dtype=torch.float64)
        tensors |= _prefixed("streams", self.streams.state_dict())
        return tensors, {"stage": str(self.stage), "iteration": str(self.iteration)}

    def restore(self, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
        """Become the state that was written; this one must be the run's beginning.

        Raises UsageError if the tensors do not fit the run's configuration.
        """
        try:
            self._restore(tensors, about)
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise misfit(error) from error

    def _restore(self, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
        model, device = self.model, self.model.device
        stage, self.iteration = int(about["stage"]), int(about["iteration"])
        if not (self.stage <= stage < model.config.train_stages):
            raise ValueError(f"stage {stage}")
        if not (0 <= self.iteration <= model.config.niter):
            raise ValueError(f"iteration {self.iteration}")
        while self.stage < stage:
            model.generator.grow()
        model.generator.load_state_dict(_without_prefix("generator", tensors))
        self.critic.load_state_dict(_without_prefix("critic", tensors))
        model.fixed_noise = [tensors[f"fixed.{i}"].to(device) for i in range(stage + 1)]
        model.noise_amp = tensors["amplitudes"].tolist()
        self.streams.load_state_dict(_without_prefix("streams", tensors))
        shapes = model.generator.noise_shapes(model.frame)
        if [tuple(z.shape) for z in model.fixed_noise] != shapes:
            raise ValueError("fixed noise")
        if tensors["amplitudes"].shape != (stage + 1,):
            raise ValueError("amplitudes")
        self.optimizers = make_optimizers(model, self.critic, model.config)
        for name, parameter, optimizer in self._optimised():
            state = _without_prefix(f"adam.{name}", tensors)
            if state:
                moments = [tuple(state[key].shape) for key in ("step", "exp_avg", "exp_avg_sq")]
                if moments != [(), tuple(parameter.shape), tuple(parameter.shape)]:
                    raise ValueError(name)
                optimizer.state[parameter] = {k: v.to(device) for k, v in state.items()}

    def _optimised(self) -> list[tuple[str, nn.Parameter, Optimizer]]:
        """Every parameter that an optimiser holds, by a unique name."""
        if self.optimizers is None:
            return []
        names = {id(p): f"g.{name}" for name, p in self.model.generator.named_parameters()}
        names |= {id(p): f"d.{name}" for name, p in self.critic.named_parameters()}
        return [
            (names[id(parameter)], parameter, optimizer)
            for optimizer in self.optimizers
            for group in optimizer.param_groups
            for parameter in group["params"]
        ]


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
    with torch.device("meta"):
        networks = {"generator": make_generator(config, modes.get(config.train_mode)),
                    "critic": make_critic(config)}  # fmt: skip
        try:
            for _ in range(min(int(about["stage"]), config.train_stages)):
                networks["generator"].grow()
        except (KeyError, ValueError) as error:
            raise misfit(error) from error
    for name, network in networks.items():
        wanted = {key: value.shape for key, value in network.state_dict().items()}
        if wanted != {key: v.shape for key, v in _without_prefix(name, tensors).items()}:
            raise misfit(f"weights of the {name}")
    kinds = {
        "streams": {torch.uint8},
        "amplitudes": {torch.float64},
        "fixed": {torch.float32, torch.bfloat16},  # the later stages' in the compute type
    }
    for name, tensor in tensors.items():
        if tensor.dtype not in kinds.get(name.partition(".")[0], {torch.float32}):
            raise misfit(name)


# What may change when a run goes on, because its result does not depend on it.
HARMLESS = ("gpu", "not_cuda", "compile", "preview_every", "checkpoint_seconds", "max_megapixels")
CHANGEABLE = (*HARMLESS, "threads")  # these change the order of sums, which is said


def resumed_config(saved: TrainConfig, typed: Mapping[str, object]) -> TrainConfig:
    """The saved configuration with harmless options as typed.

    Raises UsageError, naming the flag, if another option differs from the saved run's.
    """
    build(TrainConfig, typed)  # complains about what is no value at all
    if saved.threads is not None and typed.get("threads", saved.threads) != saved.threads:
        log.info(
            "--threads %s, not %s as before: the result may differ, within rounding, from that of "
            "a run that was not interrupted", typed["threads"], saved.threads,
        )  # fmt: skip
    for name, value in typed.items():
        if name not in CHANGEABLE and value != getattr(saved, name):
            hint = " (fine-tuning goes on with a finished model)" if name == "niter" else ""
            raise UsageError(
                f"--{name} {value}: the run in --resume has {getattr(saved, name)}, and that "
                f"cannot change on the way; start a new run{hint}"
            )
    return dataclasses.replace(saved, **{k: v for k, v in typed.items() if k in CHANGEABLE})
