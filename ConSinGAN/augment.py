"""Augmentations of the coarsest real picture (paper sections 4.2 and appendix).

Harmonization learns from photometric changes and holes, editing from moved tiles. All decisions
come from the generator that is passed in; pictures are (1, C, H, W) in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as TF


class Dice:
    """Scalar random decisions from one torch generator on the processor."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def real(self, low: float = 0.0, high: float = 1.0) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * torch.rand((), generator=self.generator).item()

    def integer(self, low: int, high: int) -> int:
        """Uniform in low..high, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.generator))

    def pick(self, weights: list[float]) -> int:
        """An index, with probability proportional to its weight."""
        return int(torch.multinomial(torch.tensor(weights), 1, generator=self.generator))

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal numbers in the shape of `like`, on its device."""
        return torch.randn(like.shape, generator=self.generator).to(like.device)

    def uniform(self, like: Tensor, low: float, high: float) -> Tensor:
        """Uniform numbers in the shape of `like`, on its device."""
        numbers = torch.rand(like.shape, generator=self.generator).to(like.device)
        return low + (high - low) * numbers


def one_by_one(change: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    """Apply `change` to every picture (1, C, H, W) of a batch on its own."""
    return torch.cat([change(picture) for picture in pictures.split(1)])


# ---------------------------------------------------------------------------------------------
# Harmonization


def photometric_and_holes(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Change colours with probability 0.25, then cut holes with probability 0.9.

    Colours: one of noise, inversion/sepia, channel drop/shuffle (weights 0.5 each) and a
    hue-saturation-value shift (0.1). Holes: one of up to 30..60 pixels a side, or two of up to
    15..30, all of one random colour. The result is in [-1, 1].
    """
    dice = Dice(generator)
    image = (picture + 1) / 2  # the transforms want [0, 1]
    if dice.real() < 0.25:
        kinds = (_add_noise, _recolour, _mix_channels, _shift_hsv)
        image = kinds[dice.pick([0.5, 0.5, 0.5, 0.1])](image, dice).clamp(0, 1)
    if dice.real() < 0.9:
        image = _cut_holes(image, dice)
    return image * 2 - 1


def _add_noise(image: Tensor, dice: Dice) -> Tensor:
    kind = dice.pick([0.2, 0.5, 0.5])
    if kind == 0:
        return image * dice.uniform(image, 0.5, 1.5)
    if kind == 1:  # standard deviation in units of the full range
        return image + dice.real(0.01, 0.05) * dice.normal(image)
    return image + dice.real(10, 50) ** 0.5 / 255 * dice.normal(image)  # variance in byte levels


SEPIA = ((0.393, 0.769, 0.189), (0.349, 0.686, 0.168), (0.272, 0.534, 0.131))


def _recolour(image: Tensor, dice: Dice) -> Tensor:
    if dice.pick([0.5, 0.5]) == 0 or image.shape[1] != 3:
        return TF.invert(image)
    return torch.einsum("oc,nchw->nohw", torch.tensor(SEPIA, device=image.device), image)


def _mix_channels(image: Tensor, dice: Dice) -> Tensor:
    channels = image.shape[1]
    if dice.pick([0.5, 0.5]) == 0:
        dropped = dice.integer(0, channels - 1)
        keep = torch.arange(channels, device=image.device) != dropped
        return image * keep.view(1, -1, 1, 1)
    order = torch.randperm(channels, generator=dice.generator)
    return TF.permute_channels(image, order.tolist())


def _shift_hsv(image: Tensor, dice: Dice) -> Tensor:
    """Hue by up to 20 of 180 steps, saturation by up to 30 and value by up to 20 byte levels."""
    hue, saturation, value = dice.real(-20, 20) / 180, dice.real(-30, 30), dice.real(-20, 20)
    if image.shape[1] == 3:
        image = TF.adjust_hue(image, hue)
        image = TF.adjust_saturation(image, 1 + saturation / 127.5)
    return image + value / 255


def _cut_holes(image: Tensor, dice: Dice) -> Tensor:
    image = image.clone()
    height, width = image.shape[-2:]
    num_holes, low, high = ((1, 30, 60), (2, 15, 30))[dice.integer(0, 1)]
    max_h, max_w = dice.integer(low, high), dice.integer(low, high)
    colour = [dice.integer(0, 255) / 255 for _ in range(image.shape[1])]
    for _ in range(num_holes):
        y, x = dice.integer(0, height - 1), dice.integer(0, width - 1)
        h, w = dice.integer(1, max_h), dice.integer(1, max_w)
        top, left = max(y - h // 2, 0), max(x - w // 2, 0)
        for channel, level in enumerate(colour):
            image[:, channel, top : y - h // 2 + h, left : x - w // 2 + w] = level
    return image


# ---------------------------------------------------------------------------------------------
# Editing

# number of tiles -> (shortest, longest tile side), (shortest, longest shift), of the picture's side
TILE_SIDES = {1: (0.2, 0.5), 2: (0.15, 0.3), 3: (0.1, 0.2), 4: (0.1, 0.15), 5: (0.1, 0.15)}
TILE_SHIFTS = {1: (0.05, 0.15), 2: (0.05, 0.1), 3: (0.05, 0.1), 4: (0.05, 0.1), 5: (0.05, 0.1)}


def shuffle_tiles(
    picture: Tensor,
    draw_integer: Callable[[int, int], int],
    draw_real: Callable[[], float],
) -> Tensor:
    """Copy one to five tiles of the picture to places nearby.

    draw_integer(low, high): uniform, both ends included; draw_real(): uniform in [0, 1).
    All tiles read the original picture (N, C, H, W); later tiles cover earlier ones.
    """
    height, width = picture.shape[-2:]
    result = picture.clone()
    num_tiles = draw_integer(1, 5)

    def draw_length(fractions: tuple[float, float], side: int) -> int:
        return draw_integer(int(fractions[0] * side), int(fractions[1] * side))

    for _ in range(num_tiles):
        top, left = draw_integer(0, height), draw_integer(0, width)
        tile_h = draw_length(TILE_SIDES[num_tiles], height)
        tile_w = draw_length(TILE_SIDES[num_tiles], width)
        down = draw_length(TILE_SHIFTS[num_tiles], height)
        right = draw_length(TILE_SHIFTS[num_tiles], width)
        if draw_real() < 0.5:
            down, right = -down, -right
        tile_h, tile_w = min(tile_h, height - top), min(tile_w, width - left)
        # Shifts stop at the picture's edge.
        new_top = min(max(top + down, 0), height - tile_h)
        new_left = min(max(left + right, 0), width - tile_w)
        tile = picture[..., top : top + tile_h, left : left + tile_w]
        result[..., new_top : new_top + tile_h, new_left : new_left + tile_w] = tile
    return result


def random_shuffle(picture: Tensor, generator: torch.Generator) -> Tensor:
    """`shuffle_tiles` with decisions from a torch generator."""
    dice = Dice(generator)
    return shuffle_tiles(picture, dice.integer, dice.real)
