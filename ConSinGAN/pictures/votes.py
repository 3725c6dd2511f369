"""Nearest patches, and what they say about the pixels that they cover."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 1024  # patches whose distances are held at once
TIE = 0.02  # patches whose squared distance is more by less than this part are about as near
EQUAL = 1 / 127.5  # how far, per number, patches are apart that look the same: one level


def nearest(queries: Tensor, keys: Tensor) -> Tensor:
    """The number of the row of `keys` (K, D) that is nearest to each row of `queries`: (Q,)."""
    norms = keys.square().sum(dim=1)
    return torch.cat([
        torch.addmm(norms, some, keys.T, alpha=-2).argmin(dim=1) for some in queries.split(CHUNK)
    ])  # fmt: skip


def likeliest(queries: Tensor, keys: Tensor) -> Tensor:
    """What is nearest to each row of `queries` (Q, D) among the rows of `keys` (K, D): (Q, D).

    Others that are nearly as near have a share, the less, the farther they are: so what comes out
    changes little where the queries do, and no rounding decides between two.
    """
    norms, found = keys.square().sum(dim=1), []
    for some in queries.split(CHUNK):
        distances = torch.addmm(norms, some, keys.T, alpha=-2)
        least, first = distances.min(dim=1, keepdim=True)
        near = (
            TIE * (least + some.square().sum(dim=1, keepdim=True)).clip(0)
            + keys.shape[1] * EQUAL**2
        )
        best = keys[first[:, 0]]
        several = (distances < least + near).sum(dim=1) > 1
        shares = (1 - (distances[several] - least[several]) / near[several]).clip(0)
        best[several] = shares @ keys / shares.sum(dim=1, keepdim=True)
        found.append(best)
    return torch.cat(found)


def patches_around(picture: Tensor, side: int) -> Tensor:
    """The patches around all pixels of (1, C, h, w), borders repeated: (h w, C side side)."""
    border = side // 2
    return F.unfold(F.pad(picture, (border,) * 4, mode="replicate"), side)[0].T.contiguous()


def mean_around(patches: Tensor, size: tuple[int, int], side: int) -> Tensor:
    """The picture (1, C, *size) that patches, as of `patches_around`, say on the mean."""
    border = side // 2
    padded = (size[0] + 2 * border, size[1] + 2 * border)
    total = F.fold(patches.T[None], padded, side)
    count = F.fold(torch.ones_like(patches.T[None, : side**2]), padded, side)
    return (total / count)[..., border:-border, border:-border].contiguous()


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
