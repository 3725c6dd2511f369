"""What a critic sees is changed at random, so that it cannot learn the few real pictures by heart.

After Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training": real and
drawn pictures are changed alike in every step, the generator's among them, which learns through the
change. So it is not taught to draw changed pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN.config import TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.options import listed

SHIFT = 0.125  # most of a side by which a picture is moved
HOLE = 0.5  # of each side, that is cut out


class Augmentation:
    """Changes pictures (N, C, H, W) in [-1, 1], all in the same way, in ways that have derivatives.

    chance: as that of an objective; seven numbers, whichever are needed.
    """

    STREAM: ClassVar[str] = "augment_critic"

    def __init__(self, names: list[str]) -> None:
        """names: of `KINDS`; changes are made in this order."""
        self.kinds = [KINDS[name] for name in names]
        self.names = names
        self.chance: dict[str, tuple[int, ...]] = {self.STREAM: (7,)} if names else {}

    @classmethod
    def of(cls, config: TrainConfig) -> Augmentation:
        """That of a configuration."""
        return cls(listed(config.augment_critic))

    def __call__(self, pictures: Tensor, chance: Mapping[str, Tensor]) -> Tensor:
        """The pictures as the numbers in chance, uniform in [0, 1), change them."""
        for change in self.kinds:
            pictures = change(pictures, chance[self.STREAM])
        return pictures

    def check_holes(self) -> None:
        """Raise UsageError if a hole in the picture would not stay where it is."""
        if "translation" in self.names:
            raise UsageError(
                "`augment_critic` translation: would move the hole that the critic must not look "
                "at; leave translation away"
            )


def colour(x: Tensor, u: Tensor) -> Tensor:
    """Brightness by -0.5 to 0.5, then saturation by 0 to 2, then contrast by 0.5 to 1.5 times."""
    x = x + (u[0] - 0.5)
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (2 * u[1]) + grey
    level = x.mean((1, 2, 3), keepdim=True)
    return (x - level) * (u[2] + 0.5) + level


def translation(x: Tensor, u: Tensor) -> Tensor:
    """Moved by whole pixels, up to an eighth of each side; zeros come in."""
    for axis, number in ((2, u[3]), (3, u[4])):
        num = x.shape[axis]
        most = int(num * SHIFT + 0.5)
        margins = (0, 0, most, most) if axis == 2 else (most, most, 0, 0)
        x = F.pad(x, margins).index_select(axis, _places(number, 2 * most + 1, num))
    return x


def cutout(x: Tensor, u: Tensor) -> Tensor:
    """A rectangle of half of each side, its centre anywhere in the picture, becomes zero."""
    inside = []
    for axis, number in ((2, u[5]), (3, u[6])):
        num = x.shape[axis]
        side = int(num * HOLE + 0.5)
        first = _whole(number, num + 1 - side % 2) - side // 2
        place = torch.arange(num, device=x.device)
        inside.append((place >= first) & (place < first + side))
    return x * ~(inside[0][:, None] & inside[1])


KINDS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "colour": colour, "translation": translation, "cutout": cutout,
}  # fmt: skip


def _whole(number: Tensor, num: int) -> Tensor:
    """One of the numbers 0..num-1, picked by one in [0, 1); no synchronisation with a device."""
    return (number * num).long().clamp(max=num - 1)  # 1 - 2^-24 times 2^24 rounds up


def _places(number: Tensor, num_starts: int, num: int) -> Tensor:
    """`num` indices in a row, from one of the first `num_starts` on."""
    return _whole(number, num_starts) + torch.arange(num, device=number.device)
