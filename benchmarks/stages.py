"""One stage of a run as the toolkit trains it, and what the textbook needs to train the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from ConSinGAN import modes
from ConSinGAN.config import TrainConfig
from ConSinGAN.methods.adversarial import Adversarial
from ConSinGAN.model import ImageModel
from ConSinGAN.networks import generator_of, make_networks, set_dtype
from ConSinGAN.noise import RandomStreams, draw_maps
from ConSinGAN.sources.single import Single
from ConSinGAN.state import TrainingState, make_optimizers

PICTURE = (433, 650)  # (H, W) of the picture; the default run trains it at 167x250
AMPLITUDE = 0.05


class Stage:
    """A stage with all stages below it, on a picture of random numbers."""

    def __init__(self, stage: int, max_size: int, device: torch.device, dtype: torch.dtype) -> None:
        torch.manual_seed(0)
        config, mode = TrainConfig(manualSeed=0, max_size=max_size), modes.get("generation")
        streams = RandomStreams(0, device)
        picture = torch.rand((1, 3, *PICTURE)) * 2 - 1
        if max_size > max(PICTURE):
            picture = torch.nn.functional.interpolate(picture, scale_factor=max_size / 650)
        reals = [real.to(device) for real in mode.make_pyramid(picture, config)]
        made = make_networks(config, stage + 1, seed=0)
        networks = {name: network.to(device) for name, network in made.items()}
        set_dtype(networks, dtype)
        self.model = model = ImageModel(config, mode, generator_of(networks), reals)
        shapes = model.generator.noise_shapes(model.frame)
        model.fixed_noise = [reals[0], *draw_maps(shapes[1:], streams.noise)]
        model.noise_amp = [1.0] + [AMPLITUDE] * stage
        self.state = TrainingState(model, networks, streams, Single())
        self.config, self.stage, self.device = config, stage, device

    def iteration(self) -> Adversarial:
        """The toolkit's iteration."""
        self.state.optimizers = make_optimizers(self.state.networks, self.config)
        return Adversarial(self.state)

    def run(self) -> Callable[[], object]:
        """One whole iteration of the toolkit, noise included."""
        step, state = self.iteration(), self.state
        return lambda: step(state.source.draw_input(state.model, state.streams))

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the noise maps of all stages."""
        return self.model.generator.noise_shapes(self.model.frame)

    def setup(self) -> dict[str, Any]:
        """The same stage for the textbook's process."""
        model = self.model
        states = (model.generator.state_dict(), self.state.critic.state_dict())
        generator, critic = ({k: v.cpu().clone() for k, v in state.items()} for state in states)
        return {
            "stage": self.stage, "device": self.device, "generator": generator, "critic": critic,
            "fixed_noise": [z.cpu() for z in model.fixed_noise], "real": model.real.cpu(),
            "sizes": model.sizes, "noise_amp": model.noise_amp, "noise_shapes": self.noise_shapes(),
        }  # fmt: skip


def seconds(run: Callable[[], object], times: int, device: torch.device) -> float:
    """Mean wall-clock seconds of one call."""
    start = time.perf_counter()
    for _ in range(times):
        run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - start) / times
