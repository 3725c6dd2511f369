"""Convolution blocks against torch's own modules."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ConSinGAN.layers import ConvBlock, PictureNorm, conv, init_weights


@pytest.mark.parametrize("padding", [0, 1, 3])
@pytest.mark.parametrize("slope", [0.0, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("num", [1, 3])
def test_conv_and_its_gradients_are_torchs(padding: int, slope: float, num: int) -> None:
    inputs = [
        torch.randn(num, 4, 9, 11, dtype=torch.float64),
        torch.randn(5, 4, 3, 3, dtype=torch.float64),
        torch.randn(5, dtype=torch.float64),
    ]
    ours, theirs = ([x.clone().float().requires_grad_() for x in inputs] for _ in range(2))
    out = conv(*ours, padding, slope)
    expected = F.leaky_relu(F.conv2d(*theirs, padding=padding), slope)
    torch.testing.assert_close(out, expected)
    seed = torch.randn_like(out)
    out.backward(seed)
    expected.backward(seed)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-4)


def test_bf16_arithmetic_keeps_float32_gradients() -> None:
    weight, bias = torch.randn(4, 3, 3, 3, requires_grad=True), torch.zeros(4, requires_grad=True)
    x = torch.randn(1, 3, 8, 8).to(torch.bfloat16)
    out = conv(x, weight, bias, slope=0.1)
    assert out.dtype == torch.bfloat16
    out.sum().backward()
    assert weight.grad.dtype == bias.grad.dtype == torch.float32
    exact = F.leaky_relu(F.conv2d(x.float(), weight, bias), 0.1)
    torch.testing.assert_close(out.float(), exact, rtol=0.02, atol=0.1)


def test_norm_is_training_mode_batch_norm_of_each_picture() -> None:
    ours, theirs = PictureNorm(6), nn.BatchNorm2d(6)
    with torch.no_grad():
        ours.weight.normal_()
        ours.bias.normal_()
        theirs.load_state_dict(ours.state_dict(), strict=False)
    x = torch.randn(3, 6, 7, 8)
    singly = torch.cat([theirs(picture) for picture in x.split(1)])
    torch.testing.assert_close(ours(x), singly)
    torch.testing.assert_close(ours(x[:1]), singly[:1])


@pytest.mark.parametrize("activation", ["lrelu", "elu", "prelu", "selu"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_block_is_convolution_norm_activation(activation: str, batch_norm: bool) -> None:
    block = ConvBlock(3, 4, 3, 0, activation, 0.2, batch_norm)
    x = torch.randn(1, 3, 8, 9)
    expected = F.conv2d(F.pad(x, (2, 2, 2, 2)), block.conv.weight, block.conv.bias)
    if batch_norm:
        expected = F.batch_norm(expected, None, None, block.norm.weight, block.norm.bias, True)
    reference = {
        "lrelu": nn.LeakyReLU(0.2),
        "elu": nn.ELU(),
        "prelu": nn.PReLU(),
        "selu": nn.SELU(),
    }
    torch.testing.assert_close(block(x, border=2), reference[activation](expected))


def test_initialisation() -> None:
    torch.manual_seed(0)
    block = ConvBlock(64, 64, 3, 0, "lrelu", 0.05, batch_norm=True)
    bias = block.conv.bias.clone()
    init_weights(block)
    block.requires_grad_(False)
    assert block.conv.weight.std() == pytest.approx(0.02, rel=0.05)
    assert block.conv.weight.mean().abs() < 1e-3
    assert torch.equal(block.conv.bias, bias)  # torch's uniform default stays
    assert block.norm.weight.mean() == pytest.approx(1, abs=0.01)
    assert not block.norm.bias.any()
