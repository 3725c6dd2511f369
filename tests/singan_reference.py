"""SinGAN as a textbook has it, for tests: plain torch, written from the published facts alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

PAD = 5


def block(inputs: int, outputs: int, batch_norm: bool = True) -> nn.Sequential:
    """Convolution, batch norm, leaky ReLU; the names are those of published files."""
    layers = nn.Sequential()
    layers.add_module("conv", nn.Conv2d(inputs, outputs, 3))
    if batch_norm:
        layers.add_module("norm", nn.BatchNorm2d(outputs))
    layers.add_module("LeakyRelu", nn.LeakyReLU(0.2))
    return layers


class Network(nn.Module):
    """Five convolutions; always in training mode, so that norms use the picture's statistics."""

    def __init__(self, filters: int, channels: int = 3, critic: bool = False) -> None:
        super().__init__()
        self.head = block(channels, filters)
        self.body = nn.Sequential()
        for k in range(1, 4):
            self.body.add_module(f"block{k}", block(filters, filters))
        last = nn.Conv2d(filters, 1 if critic else channels, 3)
        self.tail = last if critic else nn.Sequential(last, nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.body(self.head(x)))


def cubic(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


def enlarging_matrix(before: int, after: int, scale: float) -> np.ndarray:
    """One axis of a cubic resize by `scale` > 1, cut to `after`; mirrored at the ends."""
    matrix = np.zeros((after, before))
    for i in range(after):
        centre = (i + 0.5) / scale - 0.5
        taps = range(math.floor(centre) - 1, math.floor(centre) + 3)
        weights = [cubic(centre - tap) for tap in taps]
        for tap, weight in zip(taps, weights, strict=True):
            inside = tap if tap >= 0 else -tap - 1
            inside = inside if inside < before else 2 * before - 1 - inside
            matrix[i, inside] += weight / sum(weights)
    return matrix


def enlarge(picture: Tensor, size: Sequence[int], ratio: float) -> Tensor:
    """Enlarged by 1/ratio and cut to `size`."""
    rows, columns = (
        torch.from_numpy(enlarging_matrix(before, after, 1 / ratio))
        for before, after in zip(picture.shape[2:], size, strict=True)
    )
    return (rows @ picture.double() @ columns.T).float().clamp(-1, 1)


def zero_padded(x: Tensor) -> Tensor:
    return F.pad(x, (PAD,) * 4)


@dataclass
class SinGAN:
    """Networks of all stages, and what is fixed."""

    ratio: float
    sizes: Sequence[tuple[int, int]]
    stages: list[Network]
    amplitudes: list[float] = field(default_factory=list)
    alpha: float = 10.0
    penalty: float = 0.1

    def stage(self, index: int, noise: Tensor, previous: Tensor | None) -> Tensor:
        """output = network(amplitude * noise + previous) + previous."""
        if previous is None:
            return self.stages[0](zero_padded(noise.expand(-1, 3, -1, -1)))
        mixed = self.amplitudes[index] * noise + previous
        return self.stages[index](zero_padded(mixed)) + previous

    def previous(self, noise: Sequence[Tensor]) -> Tensor | None:
        """What the stages that there is noise for draw, at the size of the next."""
        picture = None
        for index, z in enumerate(noise):
            with torch.no_grad():
                picture = enlarge(self.stage(index, z, picture), self.sizes[index + 1], self.ratio)
        return picture

    def amplitude(self, fixed: Sequence[Tensor], real: Tensor) -> float:
        """Of the stage after those that `fixed` is for."""
        return 0.1 * math.sqrt(float((self.previous(fixed) - real).square().mean()))

    def penalised(self, critic: Network, real: Tensor, fake: Tensor, share: float) -> Tensor:
        mixed = (share * real + (1 - share) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
        return self.penalty * ((slope.norm(2, dim=1) - 1) ** 2).mean()

    def iteration(
        self, critic: Network, real: Tensor, own: Tensor, below: Sequence[Sequence[Tensor]],
        fixed: Sequence[Tensor], shares: Sequence[float], adam: dict, steps: int = 3,
    ) -> dict[str, float]:  # fmt: skip
        """One of the last stage. below: noise of the stages below for every critic step."""
        last = len(self.stages) - 1
        network = self.stages[last]
        optimizers = [torch.optim.Adam(n.parameters(), **adam) for n in (critic, network)]
        for noise, share in zip(below, shares, strict=True):
            previous = self.previous(noise)
            fake = self.stage(last, own, previous).detach()
            optimizers[0].zero_grad()
            (critic(fake).mean() - critic(real).mean()).backward()
            self.penalised(critic, real, fake, share).backward()
            optimizers[0].step()
        fixed_previous = self.previous(fixed[:last])
        for _ in range(steps):
            optimizers[1].zero_grad()
            fooling = -critic(self.stage(last, own, previous)).mean()
            fooling.backward()
            drawn = self.stage(last, fixed[last], fixed_previous)
            error = self.alpha * F.mse_loss(drawn, real)
            error.backward()
            optimizers[1].step()
        return {"adversarial": float(fooling.detach()), "reconstruction": float(error.detach())}
