"""Oklab, a space in which equal distances look equal, and giving a picture another's colours.

Ottosson 2020, "A perceptual color space for image processing".
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

QUANTILES = 1024  # at which two histograms are compared

# Linear sRGB -> cone responses, and their cube roots -> lightness, green-red, blue-yellow.
CONES = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
                  [0.2119034982, 0.6806995451, 0.1073969566],
                  [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
AXES = np.array([[0.2104542553, 0.7936177850, -0.0040720468],
                 [1.9779984951, -2.4285922050, 0.4505937099],
                 [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip


def to_oklab(colours: np.ndarray) -> np.ndarray:
    """Colours (.., C) in [-1, 1], sRGB or grey, in Oklab: (.., 3) float64, lightness in [0, 1]."""
    encoded = np.clip((colours.astype(np.float64) + 1) / 2, 0, 1)
    encoded = np.broadcast_to(encoded, (*encoded.shape[:-1], 3))
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ CONES.T) @ AXES.T


def from_oklab(colours: np.ndarray, channels: int = 3) -> np.ndarray:
    """What `to_oklab` was given, (.., channels); what sRGB lacks is clipped. One channel: grey."""
    if channels == 1:
        colours = colours * (1, 0, 0)
    linear = (colours @ np.linalg.inv(AXES).T) ** 3 @ np.linalg.inv(CONES).T
    linear = linear.clip(0, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return encoded[..., :channels] * 2 - 1


def match_colours(picture: Tensor, model: Tensor, how: str = "histogram") -> Tensor:
    """A picture (1, C, H, W) with the colours of another, (1, C, h, w); all in [-1, 1].

    how: "none"; "mean": lightness and both colour axes of Oklab get the other's mean and standard
    deviation (Reinhard et al. 2001, "Color transfer between images"); "histogram": its histograms.
    """
    if how == "none":
        return picture
    ours, theirs = (to_oklab(one[0].cpu().movedim(0, -1).numpy()) for one in (picture, model))
    if how == "mean":
        spread = theirs.std(axis=(0, 1)) / np.maximum(ours.std(axis=(0, 1)), 1e-6)
        matched = (ours - ours.mean(axis=(0, 1))) * spread + theirs.mean(axis=(0, 1))
    else:
        at = np.linspace(0, 1, QUANTILES)
        matched = np.empty_like(ours)
        for axis in range(3):
            values = _rising(np.quantile(ours[..., axis], at))
            targets = np.quantile(theirs[..., axis], at)
            matched[..., axis] = np.interp(ours[..., axis], values, targets)
    colours = from_oklab(matched, picture.shape[1]).astype(np.float32)
    return torch.from_numpy(colours).movedim(-1, 0)[None].contiguous().to(picture.device)


def _rising(values: np.ndarray) -> np.ndarray:
    """Sorted values, a little apart, as interpolation wants them."""
    return values + np.linspace(0, 1e-9, len(values))
