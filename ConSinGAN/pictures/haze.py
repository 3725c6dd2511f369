"""Haze: how it is put into a picture, and how it is found by the dark channel prior.

A hazy picture is J t + A (1 - t): the clear picture J, the light A of the haze, and the share t of
the scene's light that comes through (Koschmieder 1924). Pictures are float64 (H, W, C) in [0, 1].
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage import color

WINDOW = 15  # pixels a side, in which something is taken to be dark
KEPT = 0.95  # of the haze is removed, which looks more natural
BRIGHTEST = 0.001  # share of the pixels with the brightest dark channel, that the light is read off
LEAST = 0.1  # least transmission
RADIUS, EPSILON = 30, 1e-3  # of the guided filter


def dark_channel(picture: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """The least value of all channels around every pixel: (H, W)."""
    return ndimage.minimum_filter(picture.min(axis=2), window, mode="nearest")


def find_light(picture: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """The colour of the haze, (C,): of the brightest pixel where the dark channel is brightest."""
    dark = dark_channel(picture, window).ravel()
    number = max(1, round(BRIGHTEST * dark.size))
    haziest = picture.reshape(-1, picture.shape[2])[np.argsort(dark)[-number:]]
    return haziest[haziest.sum(axis=1).argmax()].clip(0.05, 1)


def find_transmission(picture: np.ndarray, light: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """The share of light that comes through, (H, W), with the picture's own edges.

    He, Sun, Tang: Single Image Haze Removal Using Dark Channel Prior (2009); the refinement by
    their guided filter (2010).
    """
    rough = 1 - KEPT * dark_channel(picture / light, window)
    grey = color.rgb2gray(picture) if picture.shape[2] == 3 else picture[..., 0]
    return guided_filter(grey, rough).clip(LEAST, 1)


def guided_filter(
    guide: np.ndarray, values: np.ndarray, radius: int = RADIUS, epsilon: float = EPSILON
) -> np.ndarray:
    """Values (H, W), smoothed except at the guide's edges (He, Sun, Tang 2010)."""

    def mean(x: np.ndarray) -> np.ndarray:
        return ndimage.uniform_filter(x, 2 * radius + 1, mode="reflect")

    middle, average = mean(guide), mean(values)
    variance = mean(guide * guide) - middle**2
    slope = (mean(guide * values) - middle * average) / (variance + epsilon)
    return mean(slope) * guide + mean(average - slope * middle)


def remove(picture: np.ndarray, light: np.ndarray, transmission: np.ndarray) -> np.ndarray:
    """The clear picture, in [0, 1]."""
    return ((picture - light) / transmission[..., None] + light).clip(0, 1)


def dark_channel_prior(picture: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """A hazy picture without what the dark channel prior takes for haze."""
    light = find_light(picture, window)
    return remove(picture, light, find_transmission(picture, light, window))


def add(picture: np.ndarray, light: np.ndarray, transmission: np.ndarray) -> np.ndarray:
    """A picture with haze; transmission: (H, W) or a number."""
    share = np.asarray(transmission)[..., None]
    return picture * share + light * (1 - share)


def smooth_depth(height: int, width: int, numbers: np.ndarray) -> np.ndarray:
    """A plane and two waves in [0, 1], (height, width), as a scene's depth might be.

    numbers: eight in [0, 1), which decide about the plane's slope and the waves.
    """
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    angle = 2 * np.pi * numbers[0]
    depth = np.cos(angle) * x + np.sin(angle) * y
    for strength, turn, phase in (numbers[1:4], numbers[4:7]):
        direction = 2 * np.pi * turn
        wave = np.cos(direction) * x + np.sin(direction) * y
        depth = depth + 0.3 * strength * np.sin(2 * np.pi * (wave * (0.5 + numbers[7]) + phase))
    low, high = depth.min(), depth.max()
    return (depth - low) / (high - low) if high > low else np.zeros_like(depth)
