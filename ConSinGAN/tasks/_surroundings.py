"""What may lie around a picture, made of the picture's own patches.

After Granot et al., "Drop the GAN: in defense of patches nearest neighbors as single image
generative models" (2022), with what is known held fast. At a model's coarsest stage that turns
noise into a layout; at its finest it mends what the model has not learned to draw.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from ConSinGAN.pictures.votes import mean_of_patches, nearest
from ConSinGAN.pyramid import size_of
from ConSinGAN.resize import resize

PATCH = 5  # pixels a side
COARSEST = 11  # pixels of the shorter side, where layouts are found
SHRINK = 0.75  # from level to level
STEPS = 6  # of a level
COMPLETENESS = 0.05  # less of it shows more of the picture's parts, more of it the likeliest alone
LIKING = 0.5  # by how much noise decides which parts of the picture are shown, as a logarithm
GRAVITY = 0.5  # what a patch costs, squared, that is taken from a picture's height away

MENDED = 7  # pixels a side of patches that mend
MENDED_SIZE = 128  # pixels of the picture's longer side; larger ones are mended below that alone
MENDING = 3  # steps
MENDED_COMPLETENESS = 0.02  # see `nearest`
CENTRE = 1.0  # deviation, in pixels, of what a patch says about the pixels around its centre
FADING = 12  # pixels over which a difference at the seam fades out
BAND = 4  # pixels of the known part that are blended
BLEND = 0.05  # share of what was drawn at the seam itself; more makes soft seams

Margins = tuple[int, int, int, int]  # pixels above, below, left, right


def surround(picture: Tensor, margins: Margins, noise: Tensor) -> Tensor:
    """A canvas (1, C, H, W) in [-1, 1] around a small picture (1, C, h, w), which stays as it is.

    noise: standard normal, (1, C, H, W), decides which of all canvases it is.
    """
    levels = _levels(size_of(picture), margins)
    mean = picture.mean((2, 3), keepdim=True)
    deviation = picture.std((2, 3), keepdim=True)
    canvas = None
    for size, around in levels:
        small = picture if size == size_of(picture) else resize(picture, size=size)
        whole = size[0] + around[0] + around[1], size[1] + around[2] + around[3]
        if canvas is None:
            # Some of the numbers, not means of them, which would be less than normal.
            canvas = mean + deviation * noise[..., : whole[0], : whole[1]]
            liking = _liking(noise, size)
        else:
            canvas, liking = resize(canvas, size=whole), None
        for _ in range(STEPS):
            canvas = _improve(_put(canvas, small, around), small, around, liking)
        canvas = _put(canvas, small, around)
    assert canvas is not None
    return canvas


def _levels(size: tuple[int, int], margins: Margins) -> list[tuple[tuple[int, int], Margins]]:
    """Sizes (h, w) and margins of all levels, coarsest first."""
    num = max(math.floor(math.log(COARSEST / min(size)) / math.log(SHRINK)), 0)
    levels = []
    for level in range(num, -1, -1):
        scale = SHRINK**level
        shrunk = max(round(size[0] * scale), PATCH), max(round(size[1] * scale), PATCH)
        above, below, left, right = (math.ceil(margin * scale) for margin in margins)
        levels.append((shrunk if level else size, (above, below, left, right)))
    return levels


def _put(canvas: Tensor, picture: Tensor, margins: Margins) -> Tensor:
    canvas = canvas.clone()
    height, width = picture.shape[2:]
    canvas[..., margins[0] : margins[0] + height, margins[2] : margins[2] + width] = picture
    return canvas


def _liking(noise: Tensor, size: tuple[int, int]) -> Tensor:
    """How far away each patch of a picture of `size` (h, w) seems to be: factors.

    So there are many layouts of a picture that has few patches: where noise alone begins, the mean
    of what it chooses is much the same.
    """
    rows, columns = (side - PATCH + 1 for side in size)
    height, width = noise.shape[2:]  # at least the picture's
    numbers = F.avg_pool2d(noise[:, :1, height - rows - 2 :, width - columns - 2 :], 3, stride=1)
    return torch.exp(LIKING * 3 * numbers.flatten())


def _improve(canvas: Tensor, picture: Tensor, margins: Margins, liking: Tensor | None) -> Tensor:
    """Every patch becomes the picture's likeliest; where they overlap, their mean."""
    queries, keys = (F.unfold(x, PATCH)[0].T for x in (canvas, picture))
    distances = torch.cdist(queries, keys).square_() / keys.shape[1]
    distances += GRAVITY * _displacement(canvas, picture, margins)
    if liking is not None:
        distances *= liking
    distances /= COMPLETENESS + distances.amin(dim=0)  # of patches that have no place yet
    patches = keys[distances.argmin(dim=1)].T[None]
    size = tuple(canvas.shape[2:])
    return F.fold(patches, size, PATCH) / F.fold(torch.ones_like(patches), size, PATCH)


def _displacement(canvas: Tensor, picture: Tensor, margins: Margins) -> Tensor:
    """How far, squared, in heights, patches are from where they would be at home: (queries, keys).

    Pictures have an up and down: beside them a patch is at home at its height; above and below, at
    the edge, and in its column.
    """
    height, width = (side - PATCH + 1 for side in picture.shape[2:])
    rows, columns = (side - PATCH + 1 for side in canvas.shape[2:])
    y = torch.arange(rows) - margins[0]
    x = torch.arange(columns) - margins[2]
    beyond = (y < 0) | (y >= height)  # columns count there
    up = (y.clip(0, height - 1)[:, None] - torch.arange(height)).square()
    side = (x.clip(0, width - 1)[:, None] - torch.arange(width)).square()
    far = up[:, None, :, None] + beyond[:, None, None, None] * side[None, :, None, :]
    return far.reshape(rows * columns, height * width).to(canvas) / picture.shape[2] ** 2


# The finest stage ------------------------------------------------------------------------------


def mend(canvas: Tensor, picture: Tensor, margins: Margins) -> Tensor:
    """Bring what was drawn around a picture nearer to the picture's own patches.

    canvas: (1, C, H, W), picture: (1, C, h, w), in [-1, 1]; so is the result, (1, C, H, W). Of
    large pictures only what shows at MENDED_SIZE changes: the search looks at all pairs of patches.
    """
    scale = MENDED_SIZE / max(picture.shape[2:])
    if scale >= 1:
        return _mended(canvas, picture, margins)
    sizes = [max(round(side * scale), MENDED) for side in picture.shape[2:]]
    around = (*(round(m * scale) for m in margins),)
    small = resize(picture, size=(sizes[0], sizes[1]))
    size = sizes[0] + around[0] + around[1], sizes[1] + around[2] + around[3]
    shrunk = resize(canvas, size=size)
    change = _mended(shrunk, small, (around[0], around[1], around[2], around[3])) - shrunk
    height, width = canvas.shape[2:]
    return (canvas + resize(change, size=(height, width), clamp=False)).clamp(-1, 1)


def _mended(canvas: Tensor, picture: Tensor, margins: Margins) -> Tensor:
    if min(picture.shape[2:]) < MENDED:
        return canvas
    keys = F.unfold(picture, MENDED)[0].T.contiguous()
    size = tuple(canvas.shape[2:])
    outside = _outside(size, picture, margins)
    touched = F.max_pool2d(outside.to(picture)[None, None], MENDED, stride=1).flatten() > 0
    for _ in range(MENDING):
        patches = F.unfold(_put(canvas, picture, margins), MENDED)
        patches[0].T[touched] = keys[nearest(patches[0].T[touched], keys, MENDED_COMPLETENESS)]
        canvas = mean_of_patches(patches, size, MENDED, CENTRE)
    return canvas


def join(canvas: Tensor, picture: Tensor, margins: Margins) -> Tensor:
    """Put a picture into what was drawn of it and around it: (1, C, H, W) in [-1, 1].

    The picture stays as it is, but for BAND pixels along its seam; there and outside, what was
    drawn is moved by the difference that is found at the seam, which fades out.
    """
    outside = _outside(tuple(canvas.shape[2:]), picture, margins)
    inside = (~outside).numpy()
    depth = torch.from_numpy(ndimage.distance_transform_edt(inside)).to(picture)
    far, at = ndimage.distance_transform_edt(outside.numpy(), return_indices=True)
    known = _put(canvas, picture, margins)
    share = ndimage.gaussian_filter(inside.astype(np.float32), 1.5)
    difference = (known - canvas)[0].cpu().numpy()  # 0 outside
    smooth = np.stack([ndimage.gaussian_filter(d, 1.5) for d in difference]) / share.clip(1e-3)
    fade = np.exp(-far / FADING).astype(np.float32)
    moved = canvas + torch.from_numpy(smooth[:, at[0], at[1]] * fade)[None].to(canvas)
    drawn = ((1 - (depth - 0.5) / BAND) * BLEND).clip(0, 1)  # share of what was drawn, in the band
    drawn[outside] = 1.0
    drawn[depth > BAND] = 0.0
    return torch.where(drawn == 0, known, drawn * moved + (1 - drawn) * known).clamp(-1, 1)


def _outside(size: tuple[int, ...], picture: Tensor, margins: Margins) -> Tensor:
    """Which pixels (H, W) of a canvas are not the picture's."""
    outside = torch.ones(size[0], size[1], dtype=torch.bool)
    height, width = picture.shape[2:]
    outside[margins[0] : margins[0] + height, margins[2] : margins[2] + width] = False
    return outside
