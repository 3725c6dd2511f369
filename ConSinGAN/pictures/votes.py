"""Nearest patches, and what they say about the pixels that they cover."""

from __future__ import annotations

from math import inf

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 1024  # patches whose distances are held at once
TIE = 0.02  # patches whose squared distance is more by less than this part are about as near
EQUAL = 1 / 127.5  # how far, per number, patches are apart that look the same: one level


def nearest(queries: Tensor, keys: Tensor, completeness: float | None = None) -> Tensor:
    """The number of the row of `keys` (K, D) that is nearest to each row of `queries`: (Q,).

    completeness: if given, keys that no query is near to seem nearer; see `units_of`.
    """
    norms = keys.square().sum(dim=1)
    if completeness is None:  # a query's own norm is that of all its distances
        return torch.cat([
            torch.addmm(norms, some, keys.T, alpha=-2).argmin(dim=1)
            for some in queries.split(CHUNK)
        ])  # fmt: skip
    units = units_of(least_distances(queries, keys), completeness)
    return torch.cat([
        (_distances(some, keys, norms) / units).argmin(dim=1) for some in queries.split(CHUNK)
    ])  # fmt: skip


def likeliest(queries: Tensor, keys: Tensor, units: Tensor | None = None) -> Tensor:
    """What is nearest to each row of `queries` (Q, D) among the rows of `keys` (K, D): (Q, D).

    units: of the keys' distances, (K,); see `units_of`. Others that are nearly as near have a
    share, the less, the farther they are: so what comes out changes little where the queries do,
    and no rounding decides between two.
    """
    norms, found = keys.square().sum(dim=1), []
    for some in queries.split(CHUNK):
        distances = _distances(some, keys, norms)
        slack = torch.full_like(norms, EQUAL**2)
        if units is not None:
            distances /= units
            slack /= units
        least, first = distances.min(dim=1, keepdim=True)
        best = keys[first[:, 0]]
        several = (distances < (1 + TIE) * least + slack).sum(dim=1) > 1
        distances, least = distances[several], least[several]
        shares = (1 - (distances - least) / (TIE * least + slack)).clip(0)
        best[several] = shares @ keys / shares.sum(dim=1, keepdim=True)
        found.append(best)
    return torch.cat(found)


def units_of(least: Tensor, completeness: float) -> Tensor:
    """Units of distances by which keys that no query is near to seem nearer: (K,).

    least: of each key's distances, as of `least_distances`. completeness: the less, the more so
    (Granot et al., "Drop the GAN", 2022). So what is blurred does not become the smoothest of the
    keys everywhere.
    """
    return completeness + least


def least_distances(queries: Tensor, keys: Tensor) -> Tensor:
    """How near the nearest of the queries is to each of the keys: (K,), infinite without any."""
    norms = keys.square().sum(dim=1)
    least = torch.full_like(norms, torch.inf)
    for some in queries.split(CHUNK):
        if len(some):
            least = torch.minimum(least, _distances(some, keys, norms).amin(dim=0))
    return least


def _distances(queries: Tensor, keys: Tensor, norms: Tensor) -> Tensor:
    """Mean squared differences of all pairs, (Q, K); norms: the squared ones of the keys."""
    found = torch.addmm(norms, queries, keys.T, alpha=-2)
    found += queries.square().sum(dim=1, keepdim=True)
    return found.clip_(min=0).div_(keys.shape[1])


def patches_around(picture: Tensor, side: int) -> Tensor:
    """The patches around all pixels of (1, C, h, w), borders repeated: (h w, C side side)."""
    border = side // 2
    return F.unfold(F.pad(picture, (border,) * 4, mode="replicate"), side)[0].T.contiguous()


def mean_around(
    patches: Tensor, size: tuple[int, int], side: int, centre: float = inf
) -> Tensor:  # fmt: skip
    """The picture (1, C, *size) that patches, as of `patches_around`, say on the mean.

    centre: see `mean_of_patches`.
    """
    border = side // 2
    padded = (size[0] + 2 * border, size[1] + 2 * border)
    mean = mean_of_patches(patches.T[None], padded, side, centre)
    return mean[..., border:-border, border:-border].contiguous()


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
