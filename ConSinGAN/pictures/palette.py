"""Pictures in few colours: palettes, and flattened pictures as a hurried painter has them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from scipy import ndimage
from scipy.cluster.vq import kmeans2
from torch import Tensor

from ConSinGAN.augment import Dice
from ConSinGAN.pictures.oklab import to_oklab
from ConSinGAN.pyramid import size_of
from ConSinGAN.resize import resize, upsample

CHUNK = 2**18  # pixels whose distances from all colours are held at once
FINENESS = 4  # painted pixels per pixel of the flattened picture, along each side
CHROMA = 2.5  # weight of hue and saturation against lightness where colours are compared
MIRRORED = 0.5  # share of the jittered pictures
PATCHED = 0.7  # share that has patches of colours from nearby


def make_palette(picture: Tensor, num: int) -> Tensor:
    """The `num` colours that a picture (1, C, h, w) consists of, or fewer: (K, C), dark ones first.

    k-means, always the same for one picture; every colour is the mean of its pixels.
    """
    colours = picture[0].detach().cpu().float().flatten(1).T.numpy()
    distinct = np.unique(colours, axis=0)
    if len(distinct) > num:
        _, labels = kmeans2(_to_compare(colours), num, iter=30, minit="++", seed=0)
        distinct = np.stack([colours[labels == one].mean(axis=0) for one in np.unique(labels)])
    distinct = distinct[np.argsort(to_oklab(distinct)[:, 0])]
    return torch.from_numpy(distinct.astype(np.float32)).to(picture.device)


def _to_compare(colours: np.ndarray) -> np.ndarray:
    """As `to_oklab`, with more weight on hues: a small red roof matters more than shades of sky."""
    return to_oklab(colours) * (1, CHROMA, CHROMA)


def nearest_colours(picture: Tensor, palette: Tensor) -> np.ndarray:
    """Which colour of a palette (K, C) is nearest to each pixel of (1, C, h, w): int (h, w)."""
    targets = _to_compare(palette.cpu().numpy())
    pixels = picture[0].flatten(1).T.cpu()
    found = []
    for part in pixels.split(CHUNK):
        products = _to_compare(part.numpy()) @ targets.T
        found.append((products - np.square(targets).sum(axis=1) / 2).argmax(axis=1))
    return np.concatenate(found).reshape(picture.shape[-2:])


def fill(labels: np.ndarray, palette: Tensor) -> Tensor:
    """The picture (1, C, h, w) that has these colours, (h, w), of a palette (K, C)."""
    return palette[torch.from_numpy(labels).to(palette.device)].permute(2, 0, 1)[None].contiguous()


def snap(painting: Tensor, palette: Tensor) -> Tensor:
    """A painting (1, C, h, w) in the colours of a palette (K, C) alone."""
    return fill(nearest_colours(painting, palette), palette)


@lru_cache(maxsize=16)
def _prepared(pixels: bytes, shape: tuple[int, ...], num: int) -> tuple[Tensor, np.ndarray]:
    picture = torch.from_numpy(np.frombuffer(pixels, np.float32).reshape(shape).copy())
    palette = make_palette(picture, num)
    fine = resize(picture, size=(shape[2] * FINENESS, shape[3] * FINENESS))
    return palette, nearest_colours(fine, palette)


def flatten(picture: Tensor, num: int, dice: Dice | None = None) -> Tensor:
    """A picture (1, C, h, w) as somebody would paint it in `num` colours, its `make_palette`.

    With dice sloppily, and every time in another way: it may be mirrored, edges wander and are
    rounded, here and there is a patch of a colour from nearby.
    """
    pixels = picture.detach().cpu().float().contiguous()
    palette, labels = _prepared(pixels.numpy().tobytes(), tuple(pixels.shape), num)
    roundness = 0.4
    if dice is not None:
        labels = _jittered(labels, dice)
        roundness = dice.real(0.2, 1.0)
    labels = _rounded(labels, len(palette), roundness * FINENESS)
    return resize(fill(labels, palette), size=size_of(picture)).to(picture.device)


def _rounded(labels: np.ndarray, num: int, sigma: float) -> np.ndarray:
    """Every pixel takes the commonest colour around it, sigma in pixels."""
    shares = [
        ndimage.gaussian_filter((labels == one).astype(np.float32), sigma, truncate=2.5)
        for one in range(num)
    ]
    return np.argmax(shares, axis=0)


def _jittered(labels: np.ndarray, dice: Dice) -> np.ndarray:
    if dice.real() < MIRRORED:
        labels = labels[:, ::-1]
    height, width = labels.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    for cells, reach in ((3, dice.real(0, 3)), (10, dice.real(0, 1))):
        rows += reach * FINENESS * smooth_noise((height, width), cells, dice)
        columns += reach * FINENESS * smooth_noise((height, width), cells, dice)
    moved = _at(labels, rows, columns)
    if dice.real() < PATCHED:
        patches = smooth_noise((height, width), dice.integer(4, 10), dice) > dice.real(1.2, 2.2)
        away = dice.real(1, 6) * FINENESS
        angle = dice.real(0, 2 * np.pi)
        theirs = _at(labels, rows + away * np.sin(angle), columns + away * np.cos(angle))
        moved = np.where(patches, theirs, moved)
    return moved


def _at(labels: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    height, width = labels.shape
    y = np.rint(rows).astype(int).clip(0, height - 1)
    return labels[y, np.rint(columns).astype(int).clip(0, width - 1)]


def smooth_noise(size: tuple[int, int], cells: int, dice: Dice) -> np.ndarray:
    """Normal numbers that change smoothly, float32 (h, w): `cells` bumps along the longer side."""
    coarse = (max(2, round(cells * side / max(size))) + 1 for side in size)
    bumps = upsample(dice.normal(torch.empty(1, 1, *coarse)), size)[0, 0].numpy()
    return (bumps - bumps.mean()) / max(float(bumps.std()), 1e-6)
