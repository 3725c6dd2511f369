"""Image analogies: what is to a painting as a picture is to its own painting?

Hertzmann et al. 2001, "Image Analogies"; here by nearest patches and votes (Kwatra et al. 2005,
"Texture Optimization for Example-based Synthesis"), coarse to fine.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN.augment import Dice
from ConSinGAN.pictures.palette import flatten, make_palette, snap
from ConSinGAN.pictures.votes import mean_of_patches, nearest
from ConSinGAN.pyramid import size_of
from ConSinGAN.resize import resize

PATCH = 7  # pixels
COARSEST = 12  # pixels of the shorter side of the coarsest level
FACTOR = 0.75  # from each level to the coarser one
ROUNDS = 3  # of search and vote at each level


@torch.no_grad()
def translate(painting: Tensor, real: Tensor, num: int, size: tuple[int, int]) -> Tensor:
    """A painting (1, C, H, W), in pieces of the real picture (1, C, h, w): (1, C, *size).

    num: the colours of the real picture's palette, in which the painting is understood.
    """
    flat = flatten(real, num)
    understood = resize(snap(painting, make_palette(real, num)), size=size)
    return analogous(understood.to(real.device), flat, real)


def of_painting(real: Tensor, num: int, number: int = 0) -> Tensor:
    """A painting of the real picture (1, C, h, w) in `num` colours, in pieces of the picture.

    number: 0 for a careful painting, else one of the sloppy ones.
    """
    pixels = real.detach().cpu().float().contiguous()
    return _of_painting(pixels.numpy().tobytes(), tuple(pixels.shape), num, number).to(real.device)


@lru_cache(maxsize=64)
@torch.no_grad()
def _of_painting(pixels: bytes, shape: tuple[int, ...], num: int, number: int) -> Tensor:
    real = torch.from_numpy(np.frombuffer(pixels, np.float32).reshape(shape).copy())
    dice = Dice(torch.Generator().manual_seed(number)) if number else None
    return analogous(flatten(real, num, dice), flatten(real, num), real)


def analogous(painting: Tensor, flat: Tensor, real: Tensor, weight: float = 0.35) -> Tensor:
    """The picture (1, C, h, w) that a painting (1, C, h, w) stands for.

    flat: the real picture (1, C, H, W) as it would be painted. Patches of the real one are put
    where they fit the painting and each other. weight: of the painting in that.
    """
    levels = [1.0]
    while min(*flat.shape[2:], *painting.shape[2:]) * levels[0] * FACTOR >= COARSEST:
        levels.insert(0, levels[0] * FACTOR)
    found = None
    for scale in levels:
        ours, key, value = (x if scale == 1 else resize(x, scale=scale)
                            for x in (painting, flat, real))  # fmt: skip
        result = ours if found is None else resize(found, size=size_of(ours))
        for number in range(ROUNDS):
            # At first nothing but the painting is known.
            known = found is not None or number > 0
            outer = weight if known else 1.0
            result = _vote(ours, result, key, value, outer, 1.0 if known else 0.0)
        found = result
    return painting if found is None else found


@torch.no_grad()
def touch_up(
    drawn: Tensor, real: Tensor, share: float, sides: tuple[int, ...] = (100,), rounds: int = 1,
    patch: int = 5, centre: float = inf,
) -> Tensor:  # fmt: skip
    """A drawing (1, C, H, W) whose coarse parts are moved towards pieces of the picture.

    real: (1, C, h, w), of the drawing's resolution. Both are shrunk so that the picture's longer
    side has at most so many pixels, one after the other; what is finer stays the drawing's. share:
    how far. rounds: of search and vote. patch: pixels of the pieces. centre: see `mean_of_patches`.
    """
    longer = max(real.shape[2:])
    for side in sorted({min(side, longer) for side in sides}):
        scale = side / longer
        coarse, pieces = (x if scale == 1 else resize(x, scale=scale) for x in (drawn, real))
        moved = coarse
        for _ in range(rounds):
            moved = _vote(moved, moved, pieces, pieces, 1.0, 0.0, patch, centre)
        change = share * (moved - coarse)
        if scale != 1:
            change = resize(change, size=size_of(drawn), clamp=False)
        drawn = (drawn + change).clamp(-1, 1)
    return drawn


def _vote(
    painting: Tensor, result: Tensor, flat: Tensor, real: Tensor, outer: float, inner: float,
    patch: int = PATCH, centre: float = inf,
) -> Tensor:  # fmt: skip
    """Every pixel becomes the mean of what the nearest patches around it have there."""
    sources = torch.cat([outer * flat, inner * real], dim=1)
    targets = torch.cat([outer * painting, inner * result], dim=1)
    keys, queries = _patches(sources, patch), _patches(targets, patch)
    border = patch // 2
    height, width = size_of(painting)
    chosen = _patches(real, patch)[nearest(queries, keys)].T[None]
    mean = mean_of_patches(chosen, (height + 2 * border, width + 2 * border), patch, centre)
    return mean[..., border:-border, border:-border].contiguous()


def _patches(picture: Tensor, patch: int) -> Tensor:
    """The patches around all pixels, borders repeated: (h w, C patch patch)."""
    border = patch // 2
    return F.unfold(F.pad(picture, (border,) * 4, mode="replicate"), patch)[0].T.contiguous()
