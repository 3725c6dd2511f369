"""Convolution and its transpose, where torch's way of computing them is a slow one.

`convolve` and `transposed` are conv2d and conv_transpose2d of stride 1. The way is chosen by
device, type and shape alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN.fast import processor
from ConSinGAN.fast.processor import Level

BAND_PIXELS = 16_000  # of a map at a time, when its products are added up
FEW_PIXELS = 2_000  # up to which the products are not worth their calls
SMALL_NUMBERS = 20_480  # up to which torch does not give a single picture to oneDNN


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0) -> Tensor:
    """conv2d: (N, C, H, W) by (O, C, k, k) to (N, O, H + 2p - k + 1, ...), channels last."""
    if _is_ours(x):
        if _has_few_outputs(x, weight.shape[0], weight.shape[1], weight.shape[2]):
            kernel = weight.flip(2, 3).permute(2, 3, 0, 1)
            out = _spread(x, kernel, weight.shape[2] - 1 - padding)
            return out if bias is None else out.add_(bias.view(-1, 1, 1))
        if _is_small(x):
            return _call_onednn(x, weight, bias, padding)
    return F.conv2d(x, weight, bias, padding=padding)


def transposed(grad: Tensor, weight: Tensor, padding: int = 0) -> Tensor:
    """conv_transpose2d: (N, O, h, w) by (O, C, k, k) to (N, C, h + k - 1 - 2p, ...).

    The result is channels last.
    """
    if _is_ours(grad):
        if _has_few_outputs(grad, weight.shape[1], weight.shape[0], weight.shape[2]):
            return _spread(grad, weight.permute(2, 3, 1, 0), padding)
        opposite = weight.shape[2] - 1 - padding
        if _is_small(grad) and opposite >= 0:
            flipped = weight.flip(2, 3).transpose(0, 1)
            flipped = flipped.contiguous(memory_format=torch.channels_last)
            return _call_onednn(grad, flipped, None, opposite)
    return F.conv_transpose2d(grad, weight, padding=padding)


def _is_ours(x: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and processor.level() >= Level.AVX2
        and torch.backends.mkldnn.is_available()
    )


def _has_few_outputs(x: Tensor, num_out: int, channels: int, size: int) -> bool:
    """Vectors of 8 or 16 outputs would hold 3: one product with all elements is faster."""
    return num_out * max(size * size, 4) <= channels and x.shape[2] * x.shape[3] > FEW_PIXELS


def _is_small(x: Tensor) -> bool:
    """torch would gather such a picture's windows, up to 15 times as slow as oneDNN."""
    return len(x) == 1 and x.numel() <= SMALL_NUMBERS


def _call_onednn(x: Tensor, weight: Tensor, bias: Tensor | None, padding: int) -> Tensor:
    return torch.ops.aten.mkldnn_convolution(
        x, weight, bias, [padding] * 2, [1, 1], [1, 1], groups=1
    )


def _spread(x: Tensor, kernel: Tensor, crop: int) -> Tensor:
    """Every pixel of (N, C, H, W) adds to k * k of the result's, as `kernel` (k, k, O, C) says.

    A product with all elements of the kernel, then k * k sums of shifted maps. `crop` rows and
    columns are taken from each side of the (N, O, H + k - 1, W + k - 1) sums, or added if negative.
    """
    size, _, num_out, channels = kernel.shape
    height, width = x.shape[2:]
    sums = x.new_zeros((len(x), num_out, height + size - 1, width + size - 1))
    elements = kernel.reshape(-1, channels)
    num_rows = max(1, BAND_PIXELS // width)
    for picture, out in zip(x.permute(0, 2, 3, 1), sums, strict=True):
        for top in range(0, height, num_rows):
            rows = picture[top : top + num_rows]
            terms = elements @ rows.reshape(-1, channels).T
            terms = terms.view(size, size, num_out, len(rows), width)
            for i in range(size):
                for j in range(size):
                    out[:, top + i : top + i + len(rows), j : j + width] += terms[i, j]
    return F.pad(sums, (-crop,) * 4).contiguous(memory_format=torch.channels_last)
