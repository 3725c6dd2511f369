"""BEGAN's critic: an autoencoder of patches (Berthelot et al. 2017, section 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ConSinGAN.critics.base import Clear, Critic
from ConSinGAN.fast.weight_gradient import at_least_float
from ConSinGAN.layers import ConvBlock, NetworkShape, conv
from ConSinGAN.pyramid import size_of

if TYPE_CHECKING:
    from ConSinGAN.config import TrainConfig

CELL = 4  # pixels, along each side, that one code stands for
SHARE = 8  # of its values there is one number of the code
HALF = 2  # pixels, of which neighbours are looked at
GRIDS = (0, 2)  # where the grids of cells begin, along each side


class AutoencoderCritic(Critic):
    """Codes every 4x4 pixels, of which it sees some more, in an eighth of their values.

    Its scores are what it gets wrong: (N, C, H, W) -> (N, 1, H, W), abs(v - D(v)), mean over
    channels. A pixel of D(v) depends on 12x12 pixels with kernels of 3x3: an autoencoder of the
    whole picture would know the only one there is by heart. So that it does not matter where the
    grid of cells lies, the mean is taken of four of them.
    """

    name = "autoencoder"
    summary = "BEGAN's: rebuilds patches, its errors are the scores"
    needs = {"objective": "began"}

    def __init__(self, shape: NetworkShape | None = None) -> None:
        super().__init__()
        shape = shape or NetworkShape()
        channels, filters = shape.image_channels, shape.num_filters
        code = CELL**2 * channels // SHARE

        def block(num_in: int, num_out: int, size: int) -> ConvBlock:
            return ConvBlock(num_in, num_out, size, size // 2, shape.activation, shape.slope)

        few = [block(filters, filters, 1) for _ in range(shape.num_layer - 1)]
        more = [block(filters, filters, 1) for _ in range(shape.num_layer - 1)]
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(HALF), block(HALF**2 * channels, filters, shape.ker_size),
            nn.PixelUnshuffle(CELL // HALF), block(4 * filters, filters, 1), *few,
        )  # fmt: skip
        self.code = nn.Conv2d(filters, code, 1)
        self.decoder = nn.Sequential(
            block(code, filters, 1), *more, block(filters, 4 * filters, 1),
            nn.PixelShuffle(CELL // HALF),
        )  # fmt: skip
        self.tail = nn.Conv2d(filters, HALF**2 * channels, shape.ker_size)
        radius = shape.ker_size // 2
        self.sight = CELL - 1 + 2 * HALF * radius  # pixels that a score sees to each side, at most
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):  # as wide as what comes in, also through many layers
                nn.init.kaiming_normal_(layer.weight, shape.slope)

    @classmethod
    def from_config(cls, config: TrainConfig) -> Critic:
        return cls(NetworkShape.of(config))

    @classmethod
    def work(cls, config: TrainConfig) -> float:
        """About how much of the patch critic's time it takes: of the products at full size."""
        inner = 2 * (config.num_layer - 1) + 2 * CELL**2 // HALF**2
        ends = 2 * config.ker_size**2 * config.nc_im * config.nfc
        products = inner * config.nfc**2 / CELL**2 + ends
        return len(GRIDS) ** 2 * products / (config.num_layer * (config.nfc * config.ker_size) ** 2)

    def rebuild(self, picture: Tensor, top: int = 0, left: int = 0) -> Tensor:
        """D(v), a picture of v's size, at least float32.

        top, left: by how many pixels the first cell begins outside of the picture; one of GRIDS.
        """
        return self._cut(self._autoencode(self._laid(picture, top, left)), picture, top, left)

    def forward(self, picture: Tensor) -> Tensor:
        grids = [(top, left) for top in GRIDS for left in GRIDS]
        laid = torch.cat([self._laid(picture, *grid) for grid in grids])
        drawn = self._autoencode(laid).chunk(len(grids))
        wrong = [
            (picture - self._cut(part, picture, *grid)).abs().mean(1, keepdim=True)
            for part, grid in zip(drawn, grids, strict=True)
        ]
        return torch.stack(wrong).mean(0)

    def _laid(self, picture: Tensor, top: int, left: int) -> Tensor:
        """Zeros around a picture, so that the cells of any grid cover it."""
        height, width = (side + GRIDS[-1] + -(side + GRIDS[-1]) % CELL for side in size_of(picture))
        below, right = height - top - picture.shape[2], width - left - picture.shape[3]
        x = picture.to(self.dtype, memory_format=torch.channels_last)
        return F.pad(x, (left, right, top, below))

    def _cut(self, drawn: Tensor, picture: Tensor, top: int, left: int) -> Tensor:
        height, width = size_of(picture)
        return drawn[..., top : top + height, left : left + width]

    def _autoencode(self, x: Tensor) -> Tensor:
        """What is made of whole cells; the result is at least float32."""
        x = self.encoder(x)
        x = self.decoder(conv(x, self.code.weight, self.code.bias))
        x = conv(x, self.tail.weight, self.tail.bias, self.tail.kernel_size[0] // 2)
        return at_least_float(F.pixel_shuffle(x, HALF))

    def clear_of(self, hole: Tensor) -> Clear:
        def dilated(x: Tensor) -> Tensor:
            return F.max_pool2d(x, 2 * self.sight + 1, stride=1, padding=self.sight)

        clear = 1 - dilated(hole.float())
        return Clear([clear], dilated(clear))
