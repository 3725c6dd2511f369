"""Naive pictures: composites and rough edits, with the masks that say where they were edited."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ConSinGAN import images
from ConSinGAN.checks import check_aspect, check_mask
from ConSinGAN.pyramid import size_of

log = logging.getLogger(__name__)

NEARLY_ALL = 0.9  # a mask that is so white may be the wrong way round


@dataclass(frozen=True)
class Naive:
    """A naive picture (1, C, H, W) in [-1, 1] and, if it has one, its mask (1, 1, H, W)."""

    picture: Tensor
    mask: Tensor | None


def load_naive(
    path: str, mask_path: str | None, channels: int, shapes: Sequence[tuple[int, int]],
    max_megapixels: float, frame: int | None = None,
) -> Naive:  # fmt: skip
    """Read a naive picture and its mask.

    mask_path: if None, the mask beside the picture is taken, if there is one. shapes: (h, w) of the
    training picture, as it was read and at the finest stage. frame: of `path`.
    Raises UsageError if a file cannot be read, its aspect ratio is another or the mask is empty.
    """
    picture = images.read_image(path, channels, "`naive_img`", max_megapixels, frame)
    check_aspect(f"`naive_img` {path}", picture, shapes, "the training picture")
    found = images.find_mask(path) if mask_path is None else mask_path
    if found is None:
        return Naive(picture, None)
    mask = images.read_mask(found, "`mask`", max_megapixels)
    check_aspect(f"`mask` {found}", mask, [size_of(picture)], "the naive picture")
    check_mask(f"`mask` {found}", mask)
    white = (mask >= 0.5).double().mean().item()
    if white > NEARLY_ALL:
        log.warning(
            "%s: %d %% of the mask is white, and white is what was edited; invert it if it is "
            "the wrong way round", found, 100 * white,
        )  # fmt: skip
    return Naive(picture, mask)
