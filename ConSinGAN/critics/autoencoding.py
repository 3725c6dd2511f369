"""A critic that must know the real picture (Liu et al. 2021, FastGAN, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ConSinGAN.critics.autoencoding_options import Options
from ConSinGAN.critics.base import Clear, Critic
from ConSinGAN.critics.patch import PatchCritic
from ConSinGAN.fast.weight_gradient import at_least_float
from ConSinGAN.layers import NetworkShape, conv, init_weights

if TYPE_CHECKING:
    from ConSinGAN.config import TrainConfig

WHOLE, CROP = 8, 4  # by what each side of the features is reduced for what is rebuilt
CROP_SHARE = 0.5  # of each side


class Decoder(nn.Module):
    """Features, averaged over blocks of pixels, become a code, and the code pictures again.

    A code has at most a third as many values as the picture that it stands for.
    """

    def __init__(self, shape: NetworkShape, reduction: int) -> None:
        """reduction: a power of 2, by which each side of the features is made smaller."""
        super().__init__()
        self.reduction, self.slope = reduction, shape.slope
        most = max(1, reduction**2 * shape.image_channels // 3)
        channels = min(shape.num_filters, most)
        self.encode = nn.Conv2d(shape.num_filters, channels, 1)
        self.enlarge = nn.ModuleList()
        for _ in range(reduction.bit_length() - 1):
            self.enlarge.append(nn.Conv2d(channels, max(channels // 2, 8), 3))
            channels = max(channels // 2, 8)
        self.tail = nn.Conv2d(channels, shape.image_channels, 3)

    def code(self, features: Tensor) -> Tensor:
        """(N, num_filters, h, w) -> (N, C, h / reduction, w / reduction)."""
        features = F.avg_pool2d(features, self.reduction)
        return conv(features, self.encode.weight, self.encode.bias)

    def forward(self, code: Tensor) -> Tensor:
        """(N, C, h, w) -> pictures (N, image channels, h * reduction, w * reduction)."""
        x = code
        for layer in cast(Sequence[nn.Conv2d], self.enlarge):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = conv(x, layer.weight, layer.bias, 1, self.slope)
        return at_least_float(conv(x, self.tail.weight, self.tail.bias, 1)).tanh()


class AutoencodingCritic(Critic):
    """The patch critic, and two small decoders that rebuild real pictures from its features.

    The whole picture from features reduced eightfold, a random crop of half its sides from features
    reduced fourfold. Features from which that goes have to describe all that real pictures consist
    of, not only what tells them from the generator's of today.
    """

    name = "autoencoding"
    summary = "the patch critic, which must rebuild the real picture from its features (FastGAN)"
    chance = {"critic_crop": (2,)}  # where the crop is

    def __init__(self, shape: NetworkShape | None = None, options: Options | None = None) -> None:
        super().__init__()
        shape, self.options = shape or NetworkShape(), options or Options()
        self.patch = PatchCritic(shape)
        self.whole, self.crop = Decoder(shape, WHOLE), Decoder(shape, CROP)
        for decoder in (self.whole, self.crop):
            init_weights(decoder)

    @classmethod
    def from_config(cls, config: TrainConfig) -> Critic:
        return cls(NetworkShape.of(config), config.options_of("critic"))

    @classmethod
    def work(cls, config: TrainConfig) -> float:
        return 1.5  # measured

    @classmethod
    def more_memory(cls, config: TrainConfig, size: tuple[int, int]) -> int:
        """The features of the real picture (measured)."""
        itemsize = 2 if config.precision == "bf16" else 4
        return 2 * config.num_layer * size[0] * size[1] * config.nfc * itemsize

    @property
    def parts(self) -> Sequence[PatchCritic]:
        return [self.patch]

    def forward(self, picture: Tensor) -> Tensor:
        return self.patch(picture)

    def clear_of(self, hole: Tensor) -> Clear:
        return self.patch.clear_of(hole)

    def own_losses(
        self, real: Tensor, chance: Mapping[str, Tensor], known: Tensor | None = None
    ) -> dict[str, Tensor]:
        """`rebuilding` times the mean absolute errors of the whole and of the crop."""
        known = torch.ones_like(real[:1, :1]) if known is None else known
        real, known, features = self._aligned(real, known)
        code, weight = self.crop.code(features), self.options.rebuilding
        rows, columns = (
            _part(number, side)
            for number, side in zip(chance["critic_crop"], code.shape[2:], strict=True)
        )
        picture = self.crop(_cut(code, rows, columns))
        rows, columns = (_pixels(places) for places in (rows, columns))
        losses = {
            "whole": _error(self.whole(self.whole.code(features)), real, known),
            "crop": _error(picture, _cut(real, rows, columns), _cut(known, rows, columns)),
        }
        return {name: weight * loss for name, loss in losses.items()}

    def _aligned(self, real: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The pictures, what is known of them, and features, one for every pixel.

        All continued to a multiple of the larger reduction; what is there is not known.
        """
        height, width = real.shape[2:]
        more = (0, -width % WHOLE, 0, -height % WHOLE)
        patch = self.patch
        margin = (patch.num_convs - 1) * (patch.ker_size - 1 - 2 * patch.padding) // 2
        seen = F.pad(real, [margin + extra for extra in more], mode="replicate")
        features = self.patch.features(seen)[-1]
        return F.pad(real, more), F.pad(known, more), features


def _part(number: Tensor, num: int) -> Tensor:
    """Places in a row: half of `num`, rounded up, the first picked by a number in [0, 1)."""
    taken = -int(-num * CROP_SHARE // 1)
    first = (number * (num - taken + 1)).long().clamp(max=num - taken)
    return first + torch.arange(taken, device=number.device)


def _pixels(places: Tensor) -> Tensor:
    """The rows, or columns, of pixels that belong to those of the code."""
    inside = torch.arange(CROP, device=places.device)
    return (places[:, None] * CROP + inside).flatten()


def _cut(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return x.index_select(2, rows).index_select(3, columns)


def _error(rebuilt: Tensor, real: Tensor, known: Tensor) -> Tensor:
    """The mean absolute error of known pixels."""
    total = ((rebuilt - real).abs() * known).sum()
    return total / (known.sum() * real[:, :, 0, 0].numel()).clamp(min=1)
