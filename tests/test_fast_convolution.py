"""Convolutions on ways of our own against torch's in float64."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN.fast import convolution, processor
from ConSinGAN.fast.convolution import convolve, transposed
from ConSinGAN.fast.processor import Level


@pytest.fixture(params=[Level.OTHER, Level.AVX2, Level.AMX], autouse=True)
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Level:
    monkeypatch.setattr(processor, "level", lambda: request.param)
    return request.param


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("channels", [(3, 16), (64, 2), (5, 5)], ids=str)
@pytest.mark.parametrize("side", [(9, 12), (45, 50)], ids=["small", "large"])
def test_both_are_torchs(
    size: int, channels: tuple[int, int], side: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolution, "BAND_PIXELS", 1000)  # several bands
    torch.manual_seed(0)
    for num, padding in itertools.product((1, 2), (0, 1, 3, 5)):
        x = torch.randn(num, channels[0], *side)
        weight, bias = torch.randn(channels[1], channels[0], size, size), torch.randn(channels[1])
        back = weight.transpose(0, 1).contiguous()
        if padding == 1:
            x = x.contiguous(memory_format=torch.channels_last)
        check(convolve(x, weight, None, padding), F.conv2d, x, weight, None, padding)
        check(convolve(x, weight, bias, padding), F.conv2d, x, weight, bias, padding)
        if min(side) + size - 1 > 2 * padding:
            out = transposed(x, back, padding)
            check(out, F.conv_transpose2d, x, back, None, padding)


def check(
    actual: Tensor,
    operator: Callable[..., Tensor],
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    padding: int,
) -> None:
    """The error of a sum of n products is at most n * eps times the sum of their sizes."""
    exact, size = (
        operator(*(t if t is None else f(t.double()) for t in (x, weight, bias)), padding=padding)
        for f in (torch.clone, torch.abs)
    )
    num = x.shape[1] * weight.shape[2] ** 2 + 1
    assert actual.shape == exact.shape
    assert ((actual - exact).abs() <= num * torch.finfo(torch.float32).eps * size).all()


def test_results_are_channels_last_and_of_their_inputs_type() -> None:
    last = torch.channels_last
    for dtype, (channels, out) in itertools.product(
        (torch.float32, torch.float64), [(3, 64), (64, 3)]
    ):
        x = torch.randn(1, channels, 60, 60, dtype=dtype).contiguous(memory_format=last)
        weight = torch.randn(out, channels, 3, 3, dtype=dtype).contiguous(memory_format=last)
        back = weight.transpose(0, 1).contiguous(memory_format=last)
        for y in (convolve(x, weight), transposed(x, back)):
            assert y.dtype == dtype
            assert y.is_contiguous(memory_format=last)


def test_ways_depend_on_the_processor(monkeypatch: pytest.MonkeyPatch, level: Level) -> None:
    taken = []
    for name in ("_spread", "_call_onednn"):
        way = getattr(convolution, name)
        monkeypatch.setattr(
            convolution, name, lambda *a, way=way, name=name: taken.append(name) or way(*a)
        )
    convolve(torch.randn(1, 64, 60, 60), torch.randn(3, 64, 3, 3))
    transposed(torch.randn(1, 3, 20, 20), torch.randn(3, 64, 3, 3))
    convolve(torch.randn(1, 64, 60, 60), torch.randn(64, 64, 3, 3))
    convolve(torch.randn(2, 3, 20, 20), torch.randn(64, 3, 3, 3))
    assert taken == ([] if level == Level.OTHER else ["_spread", "_call_onednn"])
