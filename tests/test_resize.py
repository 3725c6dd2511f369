"""Antialiased resizing and bicubic upsampling: what must hold for every size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN.resize import Interpolation, resize, resize_matrix, scaled_size, upsample

SIDES = [(1, 1), (1, 7), (2, 9), (7, 7), (9, 4), (25, 31), (40, 13), (50, 333), (333, 50)]


@pytest.mark.parametrize(("num_in", "num_out"), SIDES)
def test_rows_sum_to_one(num_in: int, num_out: int) -> None:
    for matrix in (
        resize_matrix(num_in, num_out, num_out / num_in),
        Interpolation.whole(num_in, num_out).matrix(),
    ):
        assert matrix.shape == (num_out, num_in)
        np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize(("num_in", "num_out"), SIDES)
def test_resizing_treats_both_ends_alike(num_in: int, num_out: int) -> None:
    matrix = resize_matrix(num_in, num_out, num_out / num_in)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-12)


@pytest.mark.parametrize("size", [(3, 4), (20, 30), (41, 7), (64, 96)])
@pytest.mark.parametrize("value", [-1.0, 0.0, 0.3, 1.0])
def test_constant_pictures_stay_constant(size: tuple[int, int], value: float) -> None:
    picture = torch.full((2, 3, 20, 30), value)
    for out in (resize(picture, size=size), upsample(picture, size)):
        assert out.shape == (2, 3, *size)
        assert out.dtype == torch.float32
        torch.testing.assert_close(out, torch.full_like(out, value), rtol=0, atol=1e-6)


def test_resizing_to_the_same_size_changes_nothing() -> None:
    picture = torch.rand(1, 3, 9, 14) * 2 - 1
    assert torch.equal(resize(picture, size=(9, 14)), picture)
    assert torch.equal(resize(picture, scale=1), picture)


def test_linear_ramps_stay_linear_away_from_the_edges() -> None:
    ramp = torch.linspace(-0.5, 0.5, 120).expand(1, 1, 8, 120)
    for width in (60, 171):
        inner = resize(ramp, size=(8, width))[0, 0, 3, 12:-12]
        assert inner.diff().std() < 1e-4


def test_shrinking_does_not_alias() -> None:
    """The finest stripes become grey; plain bicubic interpolation would keep them."""
    stripes = torch.tensor([1.0, -1.0]).repeat(60).expand(1, 1, 4, 120)
    assert resize(stripes, size=(4, 30))[..., 3:-3].abs().max() < 0.02


def test_overshoot_is_cut_only_if_asked_for() -> None:
    step = torch.cat([-torch.ones(1, 1, 8, 10), torch.ones(1, 1, 8, 10)], dim=3)
    assert resize(step, size=(8, 55)).abs().max() <= 1
    assert resize(step, size=(8, 55), clamp=False).abs().max() > 1.02


@pytest.mark.parametrize(("scale", "expected"), [(0.5, (5, 8)), (0.31, (4, 5)), (2.0, (20, 30))])
def test_scaled_sizes_are_rounded_up(scale: float, expected: tuple[int, int]) -> None:
    assert scaled_size((10, 15), scale) == expected
    assert resize(torch.zeros(1, 1, 10, 15), scale=scale).shape[2:] == expected


def bicubic(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Torch's own, in double precision: in single precision it is less exact than ours."""
    return F.interpolate(x.double(), size, mode="bicubic", align_corners=True).float()


@pytest.mark.parametrize(
    ("size_in", "size_out"),
    [
        ((5, 7), (9, 11)), ((5, 7), (5, 7)), ((5, 7), (5, 20)), ((5, 7), (20, 7)),
        ((1, 1), (4, 5)), ((2, 2), (3, 3)), ((6, 6), (1, 1)), ((30, 20), (15, 11)),
        ((120, 7), (161, 320)), ((7, 130), (159, 321)), ((300, 20), (481, 20)),
    ],
)  # fmt: skip
def test_upsampling_is_torchs_bicubic(size_in: tuple, size_out: tuple) -> None:
    x = torch.randn(2, 5, *size_in, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(upsample(x, size_out), bicubic(x, size_out), rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("size_in", "size_out"),
    [
        ((6, 9), (11, 10)), ((100, 9), (200, 9)), ((9, 100), (9, 150)), ((70, 90), (150, 131)),
        ((5, 7), (5, 7)), ((1, 1), (4, 5)), ((400, 7), (3, 1)),
    ],
)  # fmt: skip
def test_gradients_of_upsampling_are_torchs(size_in: tuple, size_out: tuple) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 3, *size_in, generator=generator, requires_grad=True)
    weight = torch.randn(2, 3, *size_out, generator=generator)
    ours = torch.autograd.grad((upsample(x, size_out) * weight).sum(), x)[0]
    theirs = torch.autograd.grad((bicubic(x, size_out) * weight).sum(), x)[0]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=5e-6)


def test_memory_layout_does_not_matter() -> None:
    x = torch.randn(2, 8, 6, 7)
    last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(upsample(x, (9, 9)), upsample(last, (9, 9)))


def test_upsampling_keeps_the_type() -> None:
    x = torch.rand(1, 4, 6, 7)
    low = upsample(x.bfloat16(), (12, 13))
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), upsample(x, (12, 13)), rtol=0, atol=0.03)
