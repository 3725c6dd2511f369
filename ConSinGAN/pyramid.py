"""The real pictures of every stage, and their sizes (paper section 3.1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from ConSinGAN.errors import UsageError
from ConSinGAN.resize import resize, scaled_size

Size = tuple[int, int]  # (h, w)
Spacing = Callable[[float, int], list[float]]


def geometric_scales(factor: float, num_stages: int) -> list[float]:
    """Scales of the stages below the finest, coarsest first: each is `factor` of the next."""
    last = num_stages - 1
    return [factor ** (last - stage) for stage in range(last)]


def dense_scales(factor: float, num_stages: int) -> list[float]:
    """ConSinGAN's spacing: more stages at low resolution, fewer at high resolution."""
    last = num_stages - 1
    if last == 1:  # the limit of the formula, which divides by ln 1
        return [factor]
    return [
        factor ** (((last - 1) / math.log(last)) * math.log(last - stage) + 1)
        for stage in range(last)
    ]


def finest_scale(size: tuple[int, int], max_size: int) -> float:
    """The factor that brings the longer side of (H, W) down to `max_size`; never above 1."""
    return min(max_size / max(size), 1)


def scale_factor(finest: tuple[int, int], num_stages: int, min_size: int) -> float:
    """The ratio r whose (num_stages - 1)-th power takes the finest short side to `min_size`."""
    return (min_size / min(finest)) ** (1 / (num_stages - 1))


def stage_sizes(
    size: tuple[int, int], num_stages: int, min_size: int, max_size: int, spacing: Spacing,
    least: int = 2,
) -> list[tuple[int, int]]:  # fmt: skip
    """(h, w) of every stage, coarsest first, for a picture of `size` (H, W).

    spacing: `dense_scales` or `geometric_scales`. least: what min_size may be lowered to.
    Raises UsageError if the picture is too small for the flags.
    """
    if num_stages < 2:
        raise UsageError(f"`train_stages` must be at least 2, not {num_stages}")
    finest = scaled_size(size, finest_scale(size, max_size))
    if min(finest) < min_size:
        raise UsageError(_too_small(size, finest, min_size, max_size, least))
    factor = scale_factor(finest, num_stages, min_size)
    return [scaled_size(finest, q) for q in spacing(factor, num_stages)] + [finest]


def _too_small(
    size: tuple[int, int], finest: tuple[int, int], min_size: int, max_size: int, least: int
) -> str:
    """What to do about a picture whose finest stage is smaller than the coarsest shall be."""
    picture = f"`min_size` {min_size}: the picture of {size[1]}x{size[0]} pixels"
    lower = f"lower `min_size` to {min(finest)}, or " if min(finest) >= least else ""
    if min(size) < min_size:  # so it is, and no --max_size makes it larger
        return f"{picture} is too small; {lower}use a larger picture"
    needed = math.ceil(min_size * max(size) / min(size))  # then the shorter side is min_size
    return (
        f"{picture} is only {finest[1]}x{finest[0]} at the finest stage with `max_size` "
        f"{max_size}; {lower}raise `max_size` to {needed}"
    )


def make_pyramid(
    picture: Tensor, num_stages: int, min_size: int, max_size: int, spacing: Spacing,
    least: int = 2,
) -> list[Tensor]:  # fmt: skip
    """The real pictures, coarsest first, each resized directly from the finest one.

    picture: (1, C, H, W) in [-1, 1]; so are the results. Sizes as `stage_sizes` says.
    """
    size = size_of(picture)
    stage_sizes(size, num_stages, min_size, max_size, spacing, least)
    finest = resize(picture, scale=finest_scale(size, max_size))
    factor = scale_factor(size_of(finest), num_stages, min_size)
    return [resize(finest, scale=q) for q in spacing(factor, num_stages)] + [finest]


def sizes_between(low: Size, high: Size, num_stages: int) -> list[Size]:
    """(h, w) of stages from `low` to `high`, each larger than the one before by one ratio."""
    last = num_stages - 1
    return [
        low if stage == 0 else high if stage == last else (
            round(low[0] * (high[0] / low[0]) ** (stage / last)),
            round(low[1] * (high[1] / low[1]) ** (stage / last)),
        )
        for stage in range(num_stages)
    ]  # fmt: skip


def crop_sizes(size: Size, factor: float, crop: int) -> tuple[Size, Size]:
    """(h, w) of crops of a picture of `size`, reduced by a factor and whole."""
    low = [max(1, int(min(side, crop) / factor)) for side in size]
    height, width = (min(round(a * factor), b) for a, b in zip(low, size, strict=True))
    return (low[0], low[1]), (height, width)


def size_of(picture: Tensor) -> Size:
    """(h, w) of a picture (.., h, w)."""
    height, width = picture.shape[-2:]
    return int(height), int(width)


def sizes_of(reals: Sequence[Tensor]) -> list[tuple[int, int]]:
    """(h, w) of every picture."""
    return [size_of(real) for real in reals]


def window_sizes(sizes: Sequence[Size], side: int, reach: int) -> list[Size]:
    """About what is computed, (h, w) at all stages, where training looks at windows of the last.

    side: of the windows, pixels; 0: all. reach: how far a stage's convolutions look, pixels.
    """
    if not side:
        return list(sizes)

    def needed(above: int, here: int, there: int) -> int:
        return min(here, math.ceil(above * here / there) + 2 * reach + 2)

    windows = [(min(sizes[-1][0], side), min(sizes[-1][1], side))]
    for here, there in zip(sizes[-2::-1], sizes[:0:-1], strict=True):
        height, width = windows[0]
        windows.insert(0, (needed(height, here[0], there[0]), needed(width, here[1], there[1])))
    return windows
