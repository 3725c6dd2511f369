"""What may lie around a picture, made of the picture's own patches.

After Granot et al., "Drop the GAN: in defense of patches nearest neighbors as single image
generative models" (2022), with what is known held fast. At a model's coarsest stage that turns
noise into a layout; at its finest it mends what the model has not learned to draw.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from ConSinGAN.frame import Window
from ConSinGAN.latents import put
from ConSinGAN.pictures.votes import least_distances, likeliest, mean_of_patches, units_of
from ConSinGAN.pyramid import size_of
from ConSinGAN.resize import resize
from ConSinGAN.tiles import TiledPicture, probes

PATCH = 5  # pixels a side
COARSEST = 11  # pixels of the shorter side, where layouts are found
SHRINK = 0.75  # from level to level
STEPS = 6  # of a level
COMPLETENESS = 0.05  # less of it shows more of the picture's parts, more of it the likeliest alone
LIKING = 0.5  # by how much noise decides which parts of the picture are shown, as a logarithm
PAIRS = 2**23  # of patches whose distances are held at once
GRAVITY = 0.5  # what a patch costs, squared, that is taken from a picture's height away

MENDED = 7  # pixels a side of patches that mend
MENDED_SIZE = 128  # pixels of the picture's longer side; larger ones are mended below that alone
MENDING = 3  # steps
MENDED_COMPLETENESS = 0.02  # see `nearest`
CENTRE = 1.0  # deviation, in pixels, of what a patch says about the pixels around its centre
FADING = 12  # pixels over which a difference at the seam fades out
BAND = 4  # pixels of the known part that are blended
SMOOTH, REACH = 1.5, 6  # of differences: standard deviation, and where it ends, pixels
BLEND = 0.05  # share of what was drawn at the seam itself; more makes soft seams

Margins = tuple[int, int, int, int]  # pixels above, below, left, right


def surround(picture: Tensor, margins: Margins, noise: Tensor) -> Tensor:
    """A canvas (1, C, H, W) in [-1, 1] around a small picture (1, C, h, w), which stays as it is.

    noise: standard normal, (1, C, H, W), decides which of all canvases it is.
    """
    if min(size_of(picture)) < PATCH:  # no patch to make anything of
        return _put(picture.mean() + picture.std() * noise, picture, margins)
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
    """Every patch becomes the picture's likeliest; where they overlap, their mean.

    Some rows of patches at a time, so that little more than the canvas is large.
    """
    keys = F.unfold(picture, PATCH)[0].T
    num_rows, num_columns = (side - PATCH + 1 for side in canvas.shape[2:])
    each = max(PAIRS // (num_columns * len(keys)), 1)
    parts = [range(top, min(top + each, num_rows)) for top in range(0, num_rows, each)]

    def distances(rows: range) -> Tensor:
        queries = F.unfold(canvas[:, :, rows.start : rows.stop + PATCH - 1], PATCH)[0].T
        found = torch.cdist(queries, keys).square_() / keys.shape[1]
        found += GRAVITY * _displacement(canvas, picture, margins, rows)
        return found if liking is None else found * liking

    first = distances(parts[0])
    least = first.amin(dim=0)
    for rows in parts[1:]:
        least = torch.minimum(least, distances(rows).amin(dim=0))
    total, count = torch.zeros_like(canvas), torch.zeros_like(canvas[:, :1])
    for rows in parts:
        found = first if len(parts) == 1 else distances(rows)
        found /= COMPLETENESS + least  # of patches that have no place yet
        patches = keys[found.argmin(dim=1)].T[None]
        band = slice(rows.start, rows.stop + PATCH - 1)
        size = (len(rows) + PATCH - 1, canvas.shape[3])
        total[:, :, band] += F.fold(patches, size, PATCH)
        count[:, :, band] += F.fold(torch.ones_like(patches[:, : PATCH**2]), size, PATCH)
    return total / count


def _displacement(canvas: Tensor, picture: Tensor, margins: Margins, rows: range) -> Tensor:
    """How far, squared, in heights, patches are from where they would be at home: (queries, keys).

    Pictures have an up and down: beside them a patch is at home at its height; above and below, at
    the edge, and in its column. rows: of the canvas' patches.
    """
    height, width = (side - PATCH + 1 for side in picture.shape[2:])
    num_columns = canvas.shape[3] - PATCH + 1
    y = torch.arange(rows.start, rows.stop) - margins[0]
    x = torch.arange(num_columns) - margins[2]
    beyond = (y < 0) | (y >= height)  # columns count there
    up = (y.clip(0, height - 1)[:, None] - torch.arange(height)).square()
    side = (x.clip(0, width - 1)[:, None] - torch.arange(width)).square()
    far = up[:, None, :, None] + beyond[:, None, None, None] * side[None, :, None, :]
    return far.reshape(len(rows) * num_columns, height * width).to(canvas) / picture.shape[2] ** 2


# The finest stage ------------------------------------------------------------------------------


def mend(canvas: TiledPicture, picture: Tensor) -> TiledPicture:
    """Bring what was drawn around a picture nearer to the picture's own patches.

    canvas: of which pixel (0, 0) is the first of the picture, (1, C, h, w) in [-1, 1]. Of
    large pictures only what shows at MENDED_SIZE changes: the search looks at all pairs of patches.
    """
    scale = min(MENDED_SIZE / max(picture.shape[2:]), 1)
    if min(picture.shape[2:]) < MENDED:
        return canvas
    height, width = (max(round(side * scale), MENDED) for side in picture.shape[2:])
    above, below, left, right = (round(margin * scale) for margin in _margins(canvas, picture))
    small = resize(picture, size=(height, width))
    own = Window(above, left, height, width)
    keys = F.unfold(small, MENDED)[0].T.contiguous()
    size, reach = (above + height + below, left + width + right), MENDING * (MENDED - 1)
    canvas, everything = canvas.at_hand(), Window(0, 0, *size)

    @cache
    def found() -> tuple[list[Tensor], Tensor | None]:
        """The units of every step; and all of the copy, mended, if it was looked at as a whole."""
        coarse = replace(canvas.reduced(size), name=f"{canvas.name}: patches")
        places = [(window, window.grown(reach, everything)) for window in probes(everything)]
        parts = [replace(coarse, area=there).tensor() for _, there in places]
        units: list[Tensor] = []
        for _ in range(MENDING):
            least = torch.full_like(keys[:, 0], torch.inf)
            for (window, there), part in zip(places, parts, strict=True):
                rows, columns = window.cut(there)
                seen = _Seen(part[..., rows, columns], window, small, own)
                least = torch.minimum(least, least_distances(seen.queries, keys))
            units.append(units_of(least, MENDED_COMPLETENESS))
            if len(units) < MENDING or len(parts) == 1:
                parts = [
                    _Seen(part, there, small, own).improved(keys, units[-1])
                    for (_, there), part in zip(places, parts, strict=True)
                ]
        return units, parts[0] if len(parts) == 1 else None

    def change(place: Window, drawn: Tensor) -> Tensor:
        units, moved = found()
        if moved is not None:
            rows, columns = place.cut(everything)
            return moved[..., rows, columns] - drawn
        moved = drawn
        for each in units:
            moved = _Seen(moved, place, small, own).improved(keys, each)
        return moved - drawn

    return canvas.changed_coarsely(size, reach, change).after(found)


def _margins(canvas: TiledPicture, picture: Tensor) -> Margins:
    (top, left, height, width), (h, w) = canvas.area, picture.shape[2:]
    return -top, top + height - h, -left, left + width - w


class _Seen:
    """The patches of what was drawn at a place around a picture that is at `own`."""

    def __init__(self, drawn: Tensor, place: Window, picture: Tensor, own: Window) -> None:
        size = self.size = place.height, place.width
        outside = put(torch.ones(1, 1, *size), place, torch.zeros_like(picture[:, :1]), own)
        self.touched = F.max_pool2d(outside, MENDED, stride=1).flatten() > 0
        self.patches = F.unfold(put(drawn, place, picture, own), MENDED)

    @property
    def queries(self) -> Tensor:
        """Those that are not the picture's own: (Q, C MENDED MENDED)."""
        return self.patches[0].T[self.touched]

    def improved(self, keys: Tensor, units: Tensor) -> Tensor:
        """The place, made of the likeliest of the picture's patches; see `likeliest`."""
        patches = self.patches.clone()
        patches[0].T[self.touched] = likeliest(self.queries, keys, units)
        return mean_of_patches(patches, self.size, MENDED, CENTRE)


def join(canvas: TiledPicture, picture: Tensor) -> TiledPicture:
    """Put a picture into what was drawn of it and around it, as for `mend`.

    The picture stays as it is, but for BAND pixels along its seam; there and outside, what was
    drawn is moved by the difference that is found at the seam, which fades out.
    """
    canvas, own = canvas.at_hand(), Window(0, 0, *size_of(picture))
    margins = _margins(canvas, picture)

    @cache
    def found() -> Tensor:
        drawn = replace(canvas, area=own, name=f"{canvas.name}: seam").tensor()
        return _difference(drawn, picture, margins)

    def joined(window: Window, drawn: Tensor) -> Tensor:
        rows, columns = (
            torch.arange(first, first + num)
            for first, num in ((window.top, window.height), (window.left, window.width))
        )
        y, x = rows.clip(0, own.height - 1), columns.clip(0, own.width - 1)  # the nearest known
        far = torch.hypot((rows - y)[:, None].float(), (columns - x)[None].float())
        moved = drawn + found()[..., y[:, None], x] * torch.exp(-far / FADING)
        depth = _depth(rows, columns, own, margins)
        share = ((1 - (depth - 0.5) / BAND) * BLEND).clip(0, 1)  # of what was drawn, in the band
        share[depth > BAND] = 0.0
        share[far > 0] = 1.0
        known = put(drawn, window, picture, own)
        return torch.where(share == 0, known, share * moved + (1 - share) * known).clamp(-1, 1)

    return canvas.then(joined).after(found)


def _difference(drawn: Tensor, picture: Tensor, margins: Margins) -> Tensor:
    """What a picture (1, C, h, w) has, smoothly, that what was drawn in its place has not."""
    above, below, left, right = (min(margin, REACH) for margin in margins)
    around = left, right, above, below
    inside = F.pad(torch.ones_like(picture[0, 0]), around).numpy()
    share = ndimage.gaussian_filter(inside, SMOOTH)
    smooth = [
        ndimage.gaussian_filter(plane, SMOOTH) / share.clip(1e-3)
        for plane in F.pad(picture - drawn, around)[0].numpy()
    ]
    height, width = picture.shape[2:]
    return torch.from_numpy(np.stack(smooth))[None, :, above : above + height, left : left + width]


def _depth(rows: Tensor, columns: Tensor, own: Window, margins: Margins) -> Tensor:
    """How far pixels of the picture, at `own`, are from the nearest that is not: (h, w)."""
    above, below, left, right = margins
    far = torch.full((len(rows), len(columns)), torch.inf)
    for there, steps in (
        (above, rows[:, None] + 1), (below, own.height - rows[:, None]),
        (left, columns[None] + 1), (right, own.width - columns[None]),
    ):  # fmt: skip
        if there:
            far = torch.minimum(far, steps.float())
    return far
