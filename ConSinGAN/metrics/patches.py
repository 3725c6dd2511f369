"""Metrics that need no network: statistics of the patches and pixels of pictures.

Pictures are (N, C, H, W) float32 tensors in [-1, 1]. A patch is 7x7 pixels with all channels.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN.images import LUMA
from ConSinGAN.pyramid import size_of
from ConSinGAN.resize import resize

PATCH = 7
COARSEST = 16  # pixels; no pyramid level has a shorter side
NUM_DIRECTIONS = 128
MAX_SEARCHED = 100_000  # pixels of a picture in which nearest patches are searched for
MAX_PROJECTIONS = 2**23  # held at once, of one picture
SEARCH_SIZE = 100  # pixels; nearest patches are searched for in pictures no longer than this
BYTE_LEVELS = 127.5  # per unit of [-1, 1]
TIE = 1e-7  # mean squared differences of values in [-1, 1] this close are equal
CHUNK = 1024  # patches whose distances are held at once


# Sliced Wasserstein distance ------------------------------------------------------------------


def num_levels(*sizes: tuple[int, int]) -> int:
    """Levels of the Laplacian pyramid that pictures of these sizes (h, w) all have, at least 1."""
    shortest, levels = min(min(size) for size in sizes), 1
    while (shortest := (shortest + 1) // 2) >= COARSEST:
        levels += 1
    return levels


def laplacian_pyramid(pictures: Tensor, levels: int) -> list[Tensor]:
    """Band-pass pictures, finest first, and the low-pass rest: (N, C, h, w) at h, h/2, h/4, ...

    Burt and Adelson 1983, with their 5-tap binomial kernel and mirrored borders.
    """
    bands = []
    for _ in range(levels - 1):
        smaller = _blur(pictures)[..., ::2, ::2]
        spread = torch.zeros_like(pictures)
        spread[..., ::2, ::2] = 4 * smaller
        bands.append(pictures - _blur(spread))
        pictures = smaller
    return [*bands, pictures]


def _blur(pictures: Tensor) -> Tensor:
    """Convolve with the binomial kernel (1, 4, 6, 4, 1) / 16 along both axes."""
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=pictures.device) / 16
    n, c, height, width = pictures.shape
    x = F.pad(pictures.reshape(n * c, 1, height, width), (2, 2, 2, 2), mode="reflect")
    x = F.conv2d(F.conv2d(x, kernel.view(1, 1, 5, 1)), kernel.view(1, 1, 1, 5))
    return x.view(n, c, height, width)


def sliced_wasserstein(
    real: Tensor,
    fake: Tensor,
    seed: int = 0,
    num_directions: int = NUM_DIRECTIONS,
    statistics: str = "joint",
) -> Tensor:
    """How far the patches of one picture are from those of another: (levels,), finest first.

    Karras et al., Progressive Growing of GANs (2018), section 5: at every level of the Laplacian
    pyramid the 7x7 patches are normalised by mean and standard deviation per channel; the distance
    is the mean, over random directions, of the Wasserstein-1 distance of their projections. Here
    all patches are used instead of a random part, and nothing is multiplied by 1000.

    real: (1, C, H, W); fake: (1, C, h, w), of any size: levels that both have are compared.
    statistics: "joint" normalises both pictures alike, by what they have together; "own" each by
    its own as the paper's code does, which cannot see a change of contrast.
    0 for equal pictures, symmetric. Raises ValueError for pictures smaller than a patch.
    """
    check_pictures(real, fake)
    if statistics not in ("joint", "own"):
        raise ValueError(f"statistics must be joint or own, not {statistics}")
    levels = num_levels(size_of(real), size_of(fake))
    random = torch.Generator().manual_seed(seed)
    directions = torch.randn(num_directions, real.shape[1] * PATCH**2, generator=random)
    directions = F.normalize(directions).view(-1, real.shape[1], PATCH, PATCH).to(real.device)
    pyramids = zip(laplacian_pyramid(real, levels), laplacian_pyramid(fake, levels), strict=True)
    distances = []
    for bands in pyramids:
        middle = (bands[0].mean((2, 3), keepdim=True) + bands[1].mean((2, 3), keepdim=True)) / 2
        centred = [band - middle for band in bands]  # small numbers lose less
        moments = torch.stack([_patch_moments(band) for band in centred])
        if statistics == "joint":
            moments = moments.mean(dim=0, keepdim=True).expand_as(moments)
        at_once = max(1, MAX_PROJECTIONS // max(band[0, 0].numel() for band in bands))
        parts = []
        for some in directions.split(at_once):
            projections = [
                _sorted_projections(band, some, *moment)
                for band, moment in zip(centred, moments, strict=True)
            ]
            parts.append(_wasserstein(*projections))
        distances.append(torch.cat(parts).mean())
    return torch.stack(distances)


def _patch_moments(picture: Tensor) -> Tensor:
    """First and second moment of the pixels of all patches, per channel: (2, 1, C, 1, 1)."""
    powers = torch.cat([picture, picture.square()])
    return F.avg_pool2d(powers, PATCH, stride=1).mean(dim=(2, 3), keepdim=True)[:, None]


def _sorted_projections(
    picture: Tensor, directions: Tensor, mean: Tensor, square: Tensor
) -> Tensor:
    """Normalise and project all patches of one (1, C, h, w) picture: (directions, patches)."""
    variance = square - mean.square()
    scale = torch.where(variance > 1e-10, variance, 1.0).rsqrt()  # a flat channel stays flat
    projections = F.conv2d((picture - mean) * scale, directions).flatten(2)[0]
    if projections.device.type != "cpu":
        return projections.sort(dim=1).values
    rows = projections.numpy()  # numpy sorts several times faster than torch
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda some: some.sort(axis=1), np.array_split(rows, 8)))
    return projections


def _wasserstein(a: Tensor, b: Tensor) -> Tensor:
    """Exact Wasserstein-1 distance of sorted samples, along the last axis of (.., n) and (.., m).

    The integral of the distance of the two quantile functions, which are steps at i/n and j/m.
    """
    n, m = a.shape[-1], b.shape[-1]
    if n == m:
        return (a - b).abs().mean(dim=-1)
    steps = torch.cat([torch.arange(n) * m, torch.arange(m) * n]).unique()  # in units of 1/(n m)
    ends = torch.cat([steps[1:], torch.tensor([n * m])])
    weights = ((ends - steps).double() / (n * m)).to(a)
    at_a, at_b = (steps // m).to(a.device), (steps // n).to(a.device)
    return ((a[..., at_a] - b[..., at_b]).abs() * weights).sum(dim=-1)


# Pixel diversity ------------------------------------------------------------------------------


class PixelDiversity:
    """Gathers pictures of one size, one after the other, and tells how much they differ.

    Shaham et al., SinGAN (2019), section 3: the standard deviation over the pictures of every
    pixel's intensity, averaged, divided by the standard deviation of the real picture's. 0 if all
    are equal; about 1 if a pixel may have any of the picture's intensities.
    """

    def __init__(self, real: Tensor) -> None:
        own = _intensity(real)
        self._own, self.count = float((own - own[0, 0]).std(correction=0)), 0  # 0 if of one colour
        self._mean = self._scatter = torch.zeros(())

    def add(self, picture: Tensor) -> None:
        """Take in one (1, C, h, w) picture. Raises ValueError if its size is not the others'."""
        picture = _intensity(picture)
        if self.count and picture.shape != self._mean.shape:
            raise ValueError("pictures of different sizes have no pixel diversity")
        self.count += 1  # Welford 1962
        difference = picture - self._mean
        self._mean = self._mean + difference / self.count
        self._scatter = self._scatter + difference * (picture - self._mean)

    def value(self) -> float:
        """The diversity of what was added. Raises ValueError for fewer than two pictures."""
        if self.count < 2:
            raise ValueError("pixel diversity needs at least two pictures")
        spread = float((self._scatter / self.count).sqrt().mean())
        if spread > 0 and self._own == 0:
            raise ValueError("the real picture is of one colour: there is nothing to divide by")
        return spread / self._own if spread > 0 else 0.0


def _intensity(picture: Tensor) -> Tensor:
    """The luminance of (1, C, h, w) pictures in float64: (h, w)."""
    picture = picture.cpu().double()[0]
    if len(picture) == 1:
        return picture[0]
    return torch.einsum("chw,c->hw", picture, torch.from_numpy(LUMA))


# Nearest patches ------------------------------------------------------------------------------


@dataclass(frozen=True)
class NearestPatches:
    """What the nearest patches of a sample and a real picture tell; see `nearest_patches`."""

    coherence: float
    completeness: float
    copying: float


def nearest_patches(real: Tensor, fake: Tensor, search_size: int = SEARCH_SIZE) -> NearestPatches:
    """Search for every patch's nearest patch in the other picture, and see where they lie.

    coherence: mean distance of the fake's patches from their nearest real ones; completeness: of
    the real picture's from their nearest fake ones (Simakov et al., Summarizing Visual Data Using
    Bidirectional Similarity, 2008). Distances are root mean squares in byte levels, 0 to 255.
    copying: the share of the fake's patches whose nearest real patch lies at the same offset as
    the nearest ones of all their four neighbours (fewer at borders; a patch without neighbours has
    to be found itself). 1 for a copy, also for one that was moved unless it had to be shrunk.

    real: (1, C, H, W); fake: (1, C, h, w), of any size. Both are shrunk by the factor that makes
    the real picture no longer than `search_size`, but no side shorter than 16 pixels, and neither
    larger than 100 000. For equal pictures 0, 0 and 1; the two distances change places with
    pictures of one size. Raises ValueError for pictures smaller than a patch, or too different.
    """
    check_pictures(real, fake)
    shortest = min(*real.shape[-2:], *fake.shape[-2:])
    largest = max(real[0, 0].numel(), fake[0, 0].numel())
    scale = max(search_size / max(real.shape[-2:]), COARSEST / shortest)
    scale = min(1.0, scale, (MAX_SEARCHED / largest) ** 0.5)
    if shortest * scale < PATCH:
        raise ValueError("the pictures differ too much in size for a search of nearest patches")
    if scale < 1:
        real, fake = resize(real, scale=scale), resize(fake, scale=scale)
    real_patches, fake_patches = (F.unfold(x, PATCH)[0].T.contiguous() for x in (real, fake))
    nearest_real, nearest_fake = _argmin_distances(fake_patches, real_patches)
    coherence, copying = _refine(fake_patches, real_patches, nearest_real, _grid(fake), _grid(real))
    completeness, _ = _refine(real_patches, fake_patches, nearest_fake, _grid(real), _grid(fake))
    return NearestPatches(coherence, completeness, copying)


def _argmin_distances(queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest row of `keys` for every row of `queries`, and the other way round."""
    middle = keys.mean(dim=0)  # small numbers lose less
    queries, keys = queries - middle, (keys - middle).T
    key_norms = keys.square().sum(dim=0)
    nearest_key, nearest_query = [], torch.zeros_like(key_norms).long()
    least = torch.full_like(key_norms, torch.inf)
    for start, part in zip(range(0, len(queries), CHUNK), queries.split(CHUNK), strict=True):
        distances = torch.addmm(key_norms, part, keys, alpha=-2)  # less the queries' own norms
        nearest_key.append(distances.argmin(dim=1))
        value, index = distances.add_(part.square().sum(dim=1, keepdim=True)).min(dim=0)
        nearest_query = torch.where(value < least, index + start, nearest_query)
        least = value.clamp(max=least)
    return torch.cat(nearest_key), nearest_query


def _refine(
    queries: Tensor, keys: Tensor, nearest: Tensor, grid: tuple[int, int], keys_grid: tuple
) -> tuple[float, float]:
    """(mean distance of the queries from their nearest keys, share of copied queries).

    nearest: the keys found; of keys as near, or nearer by what rounding hid, those at the same
    place or at a neighbour's offset count. grids: (rows, columns) of patches.
    """
    (rows, columns), width = grid, keys_grid[1]
    y = torch.arange(rows, device=keys.device).repeat_interleave(columns)
    x = torch.arange(columns, device=keys.device).repeat(rows)
    offset_y, offset_x = nearest // width - y, nearest % width - x

    def distance_at(dy: Tensor, dx: Tensor) -> Tensor:
        """Mean squared distance of the queries from the keys at an offset; inf outside."""
        to_y, to_x = y + dy, x + dx
        inside = (to_y >= 0) & (to_y < keys_grid[0]) & (to_x >= 0) & (to_x < width)
        index = torch.where(inside, to_y * width + to_x, 0)
        return torch.where(inside, (queries - keys[index]).square().mean(dim=1), torch.inf)

    here = torch.zeros_like(x)
    best = torch.minimum(distance_at(offset_y, offset_x), distance_at(here, here))
    # In even areas all offsets tie: there take the one, commonest or none, that ties most often.
    pairs = Counter(zip(offset_y.tolist(), offset_x.tolist(), strict=True))
    shifts = [(0, 0), pairs.most_common(1)[0][0]]
    ties = [distance_at(here + dy, here + dx) <= best + TIE for dy, dx in shifts]
    (dy, dx), tied = max(zip(shifts, ties, strict=True), key=lambda pair: int(pair[1].sum()))
    offsets = torch.stack([torch.where(tied, dy, offset_y), torch.where(tied, dx, offset_x)]).view(
        2, rows, columns
    )
    at_neighbours = []
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        exists = (y + dy >= 0) & (y + dy < rows) & (x + dx >= 0) & (x + dx < columns)
        theirs = distance_at(*offsets.roll((-dy, -dx), dims=(1, 2)).flatten(1))
        best = torch.where(exists, torch.minimum(best, theirs), best)
        at_neighbours.append(torch.where(exists, theirs, 0))
    alone = rows * columns == 1
    copied = torch.stack(at_neighbours).amax(dim=0) <= best + TIE if not alone else best <= TIE
    return float(best.sqrt().mean()) * BYTE_LEVELS, float(copied.float().mean())


def _grid(picture: Tensor) -> tuple[int, int]:
    """How many patches lie below and beside each other."""
    return picture.shape[-2] - PATCH + 1, picture.shape[-1] - PATCH + 1


def check_pictures(*pictures: Tensor) -> None:
    """Raise ValueError if a picture is smaller than a patch, or they differ in channels."""
    for picture in pictures:
        height, width = picture.shape[-2:]
        if min(height, width) < PATCH:
            raise ValueError(
                f"a picture of {width}x{height} pixels is smaller than a patch of {PATCH}x{PATCH}"
            )
    if len({picture.shape[1] for picture in pictures}) > 1:
        raise ValueError("the pictures differ in their number of channels")
