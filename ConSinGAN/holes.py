"""Holes: pixels of a picture that nobody may look at, filled from their rim before anything else.

What is made of a filled picture cannot depend on what the hole hid. Where a picture is shrunk, a
pixel is of the hole if its resize kernel touches the hole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ConSinGAN.pyramid import Size, Spacing, finest_scale, scale_factor, size_of
from ConSinGAN.resize import resize_matrix, scaled_size

SWEEPS = 24  # of the smoothing at every level of a fill
NOISE = 0.7  # standard deviation of what is added to a fill that enters a network


@dataclass(frozen=True)
class Holes:
    """One hole at all sizes: booleans (1, 1, h, w), True inside.

    whole: in the picture as it was read. stages: at every stage, coarsest first.
    """

    whole: Tensor
    stages: list[Tensor]

    @classmethod
    def of(
        cls, whole: Tensor, num_stages: int, min_size: int, max_size: int, spacing: Spacing
    ) -> Holes:
        """The hole in all pictures that `pyramid.make_pyramid` makes of one."""
        finest = touched(whole, finest_scale(size_of(whole), max_size))
        factor = scale_factor(size_of(finest), num_stages, min_size)
        coarser = [touched(finest, scale) for scale in spacing(factor, num_stages)]
        return cls(whole, [*coarser, finest])

    def to(self, device: torch.device | str) -> Holes:
        """The same on a device; the whole one, which is for files, stays."""
        return Holes(self.whole, [stage.to(device) for stage in self.stages])

    def to_tensors(self) -> dict[str, Tensor]:
        """For a file, uint8."""
        tensors = {str(i): stage for i, stage in enumerate(self.stages)} | {"whole": self.whole}
        return {name: hole.to(torch.uint8) for name, hole in tensors.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], sizes: Sequence[Size]) -> Holes:
        """What `to_tensors` made. Raises ValueError if it does not fit stages of `sizes`."""
        names = [*map(str, range(len(sizes))), "whole"]
        if set(tensors) != set(names):
            raise ValueError("holes of other stages")
        for hole in tensors.values():
            if hole.dtype != torch.uint8 or hole.dim() != 4 or hole.shape[:2] != (1, 1):
                raise ValueError("not a hole")
        holes = [tensors[name].bool() for name in names]
        if [size_of(hole) for hole in holes[:-1]] != list(sizes):
            raise ValueError("holes of other sizes")
        if not all(hole.any() for hole in holes):
            raise ValueError("an empty hole")
        return cls(holes[-1], holes[:-1])


def touched(hole: Tensor, scale: float) -> Tensor:
    """Which pixels of a picture that `resize` scales depend on its hole: (1, 1, h, w) of bools."""
    if scale == 1:
        return hole
    size = scaled_size(size_of(hole), scale)
    rows, columns = (
        resize_matrix(num_in, num_out, scale) != 0
        for num_in, num_out in zip(size_of(hole), size, strict=True)
    )
    inside = hole[0, 0].numpy().astype(np.float32)
    touching = rows.astype(np.float32) @ inside @ columns.T.astype(np.float32)
    return torch.from_numpy(touching > 0)[None, None]


def fill(picture: Tensor, hole: Tensor) -> Tensor:
    """The picture (1, C, H, W) with its hole (1, 1, H, W) filled smoothly from the rim.

    The solution of Laplace's equation, nearly: coarse to fine, some sweeps of Jacobi's at every
    level. Values inside the hole are not looked at. float64 inside; the result has the picture's
    type and device. Raises ValueError if there is nothing but hole.
    """
    known = ~hole[0, 0].cpu().numpy()
    if not known.any():
        raise ValueError("there is nothing to fill the hole from")
    values = picture[0].detach().cpu().double().numpy()
    filled = torch.from_numpy(_filled(np.where(known, values, 0.0), known))[None]
    return torch.where(hole, filled.to(picture), picture)


def _filled(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill (C, H, W), which is 0 where it is not known."""
    if known.all():
        return values
    height, width = known.shape
    coarse, coarse_known = _halved(values, known)
    guess = _filled(coarse, coarse_known).repeat(2, axis=1).repeat(2, axis=2)
    values = np.where(known, values, guess[:, :height, :width])
    rows, columns = (np.flatnonzero(~known.all(axis=axis)) for axis in (1, 0))
    top, left = max(rows[0] - 1, 0), max(columns[0] - 1, 0)
    part = (slice(top, rows[-1] + 2), slice(left, columns[-1] + 2))
    inside, fixed = values[:, part[0], part[1]], known[part]
    for _ in range(SWEEPS):
        p = np.pad(inside, ((0, 0), (1, 1), (1, 1)), mode="edge")
        around = p[:, :-2, 1:-1] + p[:, 2:, 1:-1] + p[:, 1:-1, :-2] + p[:, 1:-1, 2:]
        inside = np.where(fixed, inside, around / 4)
    values[:, part[0], part[1]] = inside
    return values


def _halved(values: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of what is known in blocks of 2x2, and where anything is."""
    height, width = known.shape
    size = math.ceil(height / 2), 2, math.ceil(width / 2), 2
    even = ((0, height % 2), (0, width % 2))
    count = np.pad(known, even).reshape(size).sum(axis=(1, 3))
    total = np.pad(values, ((0, 0), *even)).reshape(-1, *size).sum(axis=(2, 4))
    return total / np.maximum(count, 1), count > 0


def filled_picture(picture: Tensor, hole: Tensor) -> Tensor:
    """A picture as it was read (1, C, H, W) with its hole filled in byte levels.

    So it takes no more room in a file than it did.
    """
    levels = ((fill(picture, hole).double() + 1) * 127.5).round().clamp(0, 255) / 255
    return torch.where(hole, (levels.float() * 2 - 1).clamp(-1, 1), picture)


def noisy_fill(picture: Tensor, hole: Tensor, noise: Tensor) -> Tensor:
    """What enters a network that shall draw the hole anew: around it the picture, to the bit.

    All (1, C or 1, h, w). noise: standard normal. The colours of the rim tell what fits, the noise
    makes every fill another.
    """
    return torch.where(hole, fill(picture, hole) + NOISE * noise, picture)


def inserted(drawn: Tensor, picture: Tensor, hole: Tensor) -> Tensor:
    """The picture with what was drawn in its hole, without a seam: all (1, C or 1, h, w).

    Inside, what differs at the rim is taken away, spread over the hole as `fill` does (Perez et
    al. 2003, "Poisson image editing"); outside the picture stays to the bit.
    """
    mended = drawn + fill(picture - drawn, hole)
    return torch.where(hole, mended.clamp(-1, 1), picture)
