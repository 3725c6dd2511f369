"""Nearest patches, and what they say about the pixels that they cover."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 1024  # patches whose distances are held at once


def nearest(queries: Tensor, keys: Tensor, completeness: float | None = None) -> Tensor:
    """The number of the row of `keys` (K, D) that is nearest to each row of `queries`: (Q,).

    completeness: if given, keys that no query is near to seem nearer, the more so the less it is:
    mean squared distances are divided by it and the least of the key's (Granot et al., "Drop the
    GAN", 2022). So what is blurred does not become the smoothest of the keys everywhere.
    """
    norms = keys.square().sum(dim=1)
    chunks = queries.split(CHUNK)
    if completeness is None:
        return torch.cat([
            torch.addmm(norms, some, keys.T, alpha=-2).argmin(dim=1) for some in chunks
        ])  # fmt: skip

    def distances(some: Tensor) -> Tensor:
        whole = torch.addmm(norms, some, keys.T, alpha=-2) + some.square().sum(dim=1, keepdim=True)
        return whole.clamp_(min=0) / keys.shape[1]

    least = torch.stack([distances(some).amin(dim=0) for some in chunks]).amin(dim=0)
    return torch.cat([(distances(some) / (completeness + least)).argmin(dim=1) for some in chunks])


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
