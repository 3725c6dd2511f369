"""Pictures without their strokes, and with their parts elsewhere."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ConSinGAN.augment import Dice
from ConSinGAN.pictures.palette import smooth_noise

MEDIAN = 3  # pixels of the window that takes strokes away
SIGMA = 0.6  # pixels
SHARE = 0.7  # that is smoothed: strokes that are left say where new ones shall be


def smooth(picture: Tensor, share: float = SHARE) -> Tensor:
    """A picture (1, C, h, w), a share of it without what is smaller than a few pixels."""
    pixels = picture.detach().cpu().numpy()
    pixels = ndimage.median_filter(pixels, (1, 1, MEDIAN, MEDIAN), mode="nearest")
    pixels = ndimage.gaussian_filter(pixels, (0, 0, SIGMA, SIGMA), mode="nearest")
    return torch.lerp(picture, torch.from_numpy(pixels).to(picture.device), share)


def rearrange(picture: Tensor, dice: Dice) -> Tensor:
    """A picture (1, C, h, w) whose parts are moved, bent, turned, mirrored and mixed."""
    first = _bent(picture, dice)
    if dice.real() < 0.5:
        return first
    size = (int(picture.shape[2]), int(picture.shape[3]))
    mask = smooth_noise(size, dice.integer(2, 8), dice) > dice.real(-0.5, 1)
    return torch.where(torch.from_numpy(mask).to(picture.device), _bent(picture, dice), first)


def _bent(picture: Tensor, dice: Dice) -> Tensor:
    """The picture seen through a bad mirror."""
    height, width = picture.shape[-2:]
    rows, columns = (axis.astype(np.float32) for axis in np.mgrid[0:height, 0:width])
    y, x = rows - height / 2, columns - width / 2
    angle, scale = dice.real(-np.pi, np.pi), np.exp(dice.real(-0.4, 0.4))
    if dice.real() < 0.5:
        angle = 0.1 * angle
    if dice.real() < 0.5:
        x = -x
    turned_y = scale * (np.cos(angle) * y - np.sin(angle) * x) + height / 2
    turned_x = scale * (np.sin(angle) * y + np.cos(angle) * x) + width / 2
    reach = dice.real(0, 0.06) * min(height, width)
    turned_y += dice.real(-0.3, 0.3) * height + reach * smooth_noise((height, width), 4, dice)
    turned_x += dice.real(-0.3, 0.3) * width + reach * smooth_noise((height, width), 4, dice)
    planes = [
        ndimage.map_coordinates(plane, (turned_y, turned_x), order=1, mode="mirror")
        for plane in picture[0].cpu().numpy()
    ]
    return torch.from_numpy(np.stack(planes))[None].to(picture.device)
