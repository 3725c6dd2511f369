"""Stage sizes and the real pictures of every stage."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
import torch

from ConSinGAN.errors import UsageError
from ConSinGAN.pyramid import (
    dense_scales,
    finest_scale,
    geometric_scales,
    make_pyramid,
    sizes_of,
    stage_sizes,
)

Spacing = Callable[[float, int], list[float]]
SPACINGS = [dense_scales, geometric_scales]
both = pytest.mark.parametrize("spacing", SPACINGS)


@both
@pytest.mark.parametrize("num_stages", range(2, 12))
@pytest.mark.parametrize("size", [(186, 250), (400, 300), (90, 500), (61, 61)])
def test_sizes_grow_from_min_size_to_max_size(
    spacing: Spacing, num_stages: int, size: tuple[int, int]
) -> None:
    sizes = stage_sizes(size, num_stages, 20, 250, spacing)
    assert len(sizes) == num_stages
    assert min(sizes[0]) in (20, 21)  # rounding up may add a pixel
    assert max(sizes[-1]) == min(250, max(size))
    for small, large in itertools.pairwise(sizes):
        assert small[0] <= large[0]
        assert small[1] <= large[1]


@both
def test_shape_is_kept(spacing: Spacing) -> None:
    for height, width in stage_sizes((300, 450), 6, 25, 250, spacing):
        assert abs(height * 1.5 - width) < 2


def test_dense_spacing_puts_more_stages_at_low_resolution() -> None:
    dense = stage_sizes((250, 250), 6, 25, 250, dense_scales)
    even = stage_sizes((250, 250), 6, 25, 250, geometric_scales)
    assert dense[0] == even[0]
    assert dense[-1] == even[-1]
    assert all(d[0] < e[0] for d, e in zip(dense[1:-2], even[1:-2], strict=True))


def test_geometric_stages_have_one_ratio() -> None:
    scales = [*geometric_scales(0.8, 5), 1.0]
    assert [a / b for a, b in itertools.pairwise(scales)] == pytest.approx([0.8] * 4)


@both
def test_two_stages_are_the_coarsest_and_the_finest(spacing: Spacing) -> None:
    """The formula divides by ln 1 here (a bug of the paper's code)."""
    assert stage_sizes((100, 200), 2, 25, 150, spacing) == [(25, 50), (75, 150)]


@both
def test_picture_already_at_min_size(spacing: Spacing) -> None:
    assert stage_sizes((30, 40), 4, 30, 250, spacing) == [(30, 40)] * 4


@both
@pytest.mark.parametrize(
    ("size", "helps", "does_not"),
    [
        ((24, 300), ["lower min_size to 20", "larger picture"], "raise"),
        ((300, 24), ["lower min_size to 20", "larger picture"], "raise"),
        ((24, 24), ["lower min_size to 24", "larger picture"], "raise"),
        ((10, 24), ["larger picture"], "lower"),
        ((40, 900), ["raise max_size to 563", "lower min_size to 12"], "larger picture"),
        ((40, 1250), ["raise max_size to 782"], "lower"),
    ],
)
def test_what_helps_a_picture_that_is_too_small(
    spacing: Spacing, size: tuple[int, int], helps: list[str], does_not: str
) -> None:
    """And that it does help is seen by doing it."""
    for make in (stage_sizes, lambda size, *rest: make_pyramid(torch.zeros(1, 3, *size), *rest)):
        with pytest.raises(UsageError, match=r"^min_size 25") as caught:
            make(size, 6, 25, 250, spacing, 11)
        message = str(caught.value)
        assert f"{size[1]}x{size[0]}" in message
        assert all(words in message for words in helps)
        assert does_not not in message
    values = re.findall(r"(m\w+_size) to (\d+)", message)
    for name, value in values:
        sizes = {"min_size": 25, "max_size": 250, name: int(value)}
        stage_sizes(size, 6, sizes["min_size"], sizes["max_size"], spacing)


@pytest.mark.parametrize("num_stages", [1, 0, -3])
def test_fewer_than_two_stages_are_refused(num_stages: int) -> None:
    with pytest.raises(UsageError, match=r"^train_stages"):
        stage_sizes((100, 100), num_stages, 25, 250, dense_scales)


def test_small_pictures_are_not_enlarged() -> None:
    assert finest_scale((30, 40), 250) == 1
    assert finest_scale((500, 250), 250) == 0.5


@both
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_have_the_promised_sizes_and_range(spacing: Spacing, channels: int) -> None:
    picture = torch.rand(1, channels, 47, 83).round() * 2 - 1
    reals = make_pyramid(picture, 4, 12, 60, spacing)
    assert sizes_of(reals) == stage_sizes((47, 83), 4, 12, 60, spacing)
    for real in reals:
        assert real.shape[:2] == (1, channels)
        assert real.dtype == torch.float32
        assert real.abs().max() <= 1


@both
def test_constant_pictures_stay_constant(spacing: Spacing) -> None:
    for real in make_pyramid(torch.full((1, 3, 50, 70), 0.25), 5, 12, 60, spacing):
        torch.testing.assert_close(real, torch.full_like(real, 0.25))
