"""Nearest patches, and what they say about the pixels that they cover."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 1024  # patches whose distances are held at once


def nearest(queries: Tensor, keys: Tensor) -> Tensor:
    """The number of the row of `keys` (K, D) that is nearest to each row of `queries`: (Q,)."""
    norms = keys.square().sum(dim=1)
    return torch.cat([
        torch.addmm(norms, some, keys.T, alpha=-2).argmin(dim=1) for some in queries.split(CHUNK)
    ])  # fmt: skip


def mean_of_patches(patches: Tensor, size: tuple[int, ...], side: int, centre: float) -> Tensor:
    """The picture (1, C, *size) that patches (1, C side side, L), one around every place, are.

    centre: standard deviation, in pixels, of what a patch says about the pixels around its centre.
    """
    distance = torch.arange(side) - side // 2
    weight = torch.exp(-distance.square() / (2 * centre**2)).to(patches)
    channels = patches.shape[1] // side**2
    weights = torch.outer(weight, weight).flatten().repeat(channels)[None, :, None]
    total = F.fold(weights.expand_as(patches), size, side)
    return F.fold(patches * weights, size, side) / total
