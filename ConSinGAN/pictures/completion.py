"""A drawn hole is brought nearer to the picture's own patches.

Wexler, Shechtman, Irani: Space-Time Completion of Video (2007), for one picture, coarse to fine:
each patch that touches the hole becomes the nearest one that is clear of it, and every pixel the
mean of what the patches around it say. It begins with a drawing, so that there are many results.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from ConSinGAN.holes import fill
from ConSinGAN.pictures.votes import mean_of_patches, nearest
from ConSinGAN.pyramid import Size, size_of
from ConSinGAN.resize import resize

PATCH = 7  # pixels a side
COARSEST = 18  # pixels of the shorter side of the coarsest level
FACTOR = 0.7  # from each level to the coarser one
LARGEST = 128  # pixels of the longer side of the finest level; what is finer stays as drawn
ROUNDS = 4  # of search and vote at every level
COMPLETENESS = 0.2, 0.02  # see `nearest`; of coarse levels, where less puts debris, of the finest
FADING = 3.0  # pixels over which a difference at the rim fades out
CENTRE = 0.5  # deviation, in pixels, of what a patch says about the pixels around its centre


@torch.no_grad()
def complete(drawn: Tensor, real: Tensor, hole: Tensor) -> Tensor:
    """A drawing (1, C, h, w) in [-1, 1] whose hole (1, 1, h, w) is made of the picture's patches.

    real: the picture; nothing of it inside the hole is used. Around the hole the result is `real`.
    """
    device = drawn.device
    canvas = torch.where(hole, drawn, real).cpu().float()
    picture, inside = real.cpu().float(), hole.cpu()
    for size in _levels(size_of(canvas)):
        whole = size == size_of(canvas)
        small, known = (x if whole else resize(x, size=size) for x in (canvas, picture))
        # A pixel counts as known if none of what it is made of is in the hole.
        shade = F.interpolate(F.max_pool2d(inside.float(), 3, 1, 1), size, mode="area")
        there = inside if whole else shade > 0
        moved = voted = small
        for _ in range(ROUNDS):
            voted = _vote(moved, known, there, COMPLETENESS[whole])
            moved = torch.where(there, voted, small)
        if whole:
            break
        change = resize(moved - small, size=size_of(canvas), clamp=False)
        canvas = torch.where(inside, (canvas + change).clamp(-1, 1), picture)
    else:  # what is finer than the last level stays as it was drawn
        return canvas.to(device)
    return _without_seam(voted, picture, inside).to(device)


def _without_seam(made: Tensor, picture: Tensor, hole: Tensor) -> Tensor:
    """Take what was made beside the hole, and is not so, away from what was made inside.

    The difference fades out: it is little of what the middle of the hole should be.
    """
    depth = torch.from_numpy(ndimage.distance_transform_edt(hole[0, 0].numpy())).to(made)
    seam = fill(picture - made, hole) * torch.exp(-depth / FADING)
    return torch.where(hole, (made + seam).clamp(-1, 1), picture)


def _levels(size: Size) -> list[Size]:
    """(h, w), coarsest first."""
    scale = min(1.0, LARGEST / max(size))
    levels: list[Size] = []
    while not levels or min(size) * scale >= COARSEST:
        levels.insert(0, (max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)))
        scale *= FACTOR
    return levels


def _vote(canvas: Tensor, real: Tensor, hole: Tensor, completeness: float) -> Tensor:
    """One round, (1, C, h, w); the canvas itself if no patch is clear of the hole."""
    size = size_of(canvas)
    if min(size) < PATCH:
        return canvas
    touching = F.max_pool2d(hole.float(), PATCH, stride=1).flatten() > 0
    if touching.all():
        return canvas
    keys = F.unfold(real, PATCH)[0].T[~touching]
    patches = F.unfold(canvas, PATCH)
    patches[0].T[touching] = keys[nearest(patches[0].T[touching], keys, completeness)]
    return mean_of_patches(patches, size, PATCH, CENTRE)
