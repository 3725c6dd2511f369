"""One stage of a run as the toolkit trains it, and what the textbook needs to train the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from ConSinGAN.iteration import Iteration

from ConSinGAN import modes
from ConSinGAN.config import TrainConfig
from ConSinGAN.noise import RandomStreams, draw_maps
from ConSinGAN.sampling import ImageModel, make_critic, make_generator
from ConSinGAN.state import make_optimizers

PICTURE = (433, 650)  # (H, W) of the picture; the default run trains it at 167x250
AMPLITUDE = 0.05


class Stage:
    """A stage with all stages below it, on a picture of random numbers."""

    def __init__(self, stage: int, max_size: int, device: torch.device, dtype: torch.dtype) -> None:
        torch.manual_seed(0)
        config, mode = TrainConfig(manualSeed=0, max_size=max_size), modes.get("generation")
        self.streams = RandomStreams(0, device)
        picture = torch.rand((1, 3, *PICTURE)) * 2 - 1
        if max_size > max(PICTURE):
            picture = torch.nn.functional.interpolate(picture, scale_factor=max_size / 650)
        reals = [real.to(device) for real in mode.make_pyramid(picture, config)]
        generator, self.critic = make_generator(config, mode), make_critic(config)
        for _ in range(stage):
            generator.grow()
        self.model = model = ImageModel(config, mode, generator.to(device), reals)
        model.fixed_noise = [
            reals[0],
            *draw_maps(generator.noise_shapes(model.frame)[1:], self.streams.noise),
        ]
        model.noise_amp = [1.0] + [AMPLITUDE] * stage
        generator.dtype = self.critic.to(device).dtype = dtype
        self.config, self.stage, self.device = config, stage, device

    def iteration(self) -> Iteration:
        """The toolkit's iteration."""
        optimizers = make_optimizers(self.model, self.critic, self.config)
        return Iteration(self.model, self.critic, optimizers, self.streams)

    def run(self) -> Callable[[], object]:
        """One whole iteration of the toolkit, noise included."""
        step, mode = self.iteration(), self.model.mode
        return lambda: step(mode.draw_input(self.model.reals[0], self.streams))

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the noise maps of all stages."""
        return self.model.generator.noise_shapes(self.model.frame)

    def setup(self) -> dict[str, Any]:
        """The same stage for the textbook's process."""
        model = self.model
        states = (model.generator.state_dict(), self.critic.state_dict())
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
