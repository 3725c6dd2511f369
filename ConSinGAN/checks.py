"""What callers hand over: pictures, masks, numbers. Wrong ones get one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ConSinGAN.errors import UsageError

OVERSHOOT = 0.05  # by which a resized picture may pass its range


def check_picture(what: str, picture: Tensor, channels: int, low: int) -> None:
    """Raise UsageError unless this is (1, channels, H, W), H and W at least 2, in [low, 1]."""
    wanted = f"{what} must be a (1, {channels}, H, W) tensor of numbers in [{low}, 1]"
    if not isinstance(picture, Tensor):
        raise UsageError(f"{wanted}, not {type(picture).__name__}")
    shape = tuple(picture.shape)
    if len(shape) != 4 or shape[:2] != (1, channels) or min(shape[2:]) < 2:
        raise UsageError(f"{wanted}, not of shape {shape}")
    if not picture.is_floating_point():
        raise UsageError(f"{wanted}, not {picture.dtype}")
    darkest, brightest = (float(value) for value in picture.aminmax())
    if not (darkest >= low - OVERSHOOT and brightest <= 1 + OVERSHOOT):  # also if not a number
        raise UsageError(f"{wanted}; this one's go from {darkest:.6g} to {brightest:.6g}")


def check_aspect(what: str, picture: Tensor, shapes: Sequence[tuple[int, int]], whose: str) -> None:
    """Raise UsageError unless the picture (.., H, W) has the shape, at any size, of one (h, w).

    2 % and one pixel more or less allow for rounding at small sizes. what: is compared; whose: the
    first shape is, which the error names.
    """
    height, width = picture.shape[-2:]
    if any(abs(h * width / height - w) <= 1 + 0.02 * w for h, w in shapes):
        return
    raise UsageError(
        f"{what}: its shape {width}x{height} does not fit {whose}, {shapes[0][1]}x{shapes[0][0]} "
        "(width x height); crop it or use the picture that it was made from"
    )


def check_mask(what: str, mask: Tensor) -> None:
    """Raise UsageError if nothing of a mask, in [0, 1], is white."""
    if not mask.max() >= 0.5:
        raise UsageError(f"{what}: the mask is empty; paint the edited part white")


def checked_seed(seed: object) -> int | list[int]:
    """A seed, or the numbers that make one. Raises UsageError for anything else."""
    seed = plain_all(plain(seed))
    if isinstance(seed, tuple):
        return [_checked_number(number) for number in seed]
    return _checked_number(seed)


def _checked_number(number: object) -> int:
    if type(number) is not int or not 0 <= number < 2**63:
        raise UsageError(f"`seed` takes a whole number from 0 to 2^63 - 1, not {number!r}")
    return number


def plain(value: object) -> Any:
    """A number of numpy or torch as Python's own; anything else as it is."""
    return value.item() if isinstance(value, (np.generic, Tensor)) and value.ndim == 0 else value


def plain_all(values: object) -> Any:
    """`plain` of all values of a sequence; anything else as it is."""
    if isinstance(values, (tuple, list, np.ndarray, torch.Size)):
        return tuple(plain(value) for value in values)
    return values
