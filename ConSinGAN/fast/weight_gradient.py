"""The gradient of a convolution's weight and bias, in the form that is fastest on the processor.

All forms compute dW[o,c,i,j] = sum over pixels of grad[o,y,x] * input[c,y+i-p,x+j-p]. `choose`
picks one by the processor's level, the type and the shape alone, never by timing, so that a run
repeats to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN.fast import processor
from ConSinGAN.fast.processor import Level

BAND_PIXELS = 50_000  # of a large map at a time: all forms make copies of what they are given
PRODUCT_PIXELS = 250  # of a band, of which all that they see is gathered
SIDE_BY_SIDE = 4  # bands that are multiplied at a time
WINDOW_PIXELS = 8_000  # of which all windows are gathered at a time
CACHED_PIXELS = 2_000  # of which AVX2 kernels do the weight gradient quickly
MANY_PIXELS = 6_000  # above, pictures are better treated one at a time than as a batch

Gradients = tuple[Tensor, Tensor]  # of weight and bias, at least float32
Form = Callable[[Tensor, Tensor, Tensor, int], Gradients]


def at_least_float(x: Tensor) -> Tensor:
    """The tensor in float32, or in float64 if it is that."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def parameter_gradients(x: Tensor, grad: Tensor, weight: Tensor, padding: int = 0) -> Gradients:
    """Gradients of a convolution's weight and bias, float32, summed over the pictures.

    x: its input, (N, C, H, W); grad: its output's gradient, (N, O, h, w); stride 1. Of `weight`,
    (O, C, k, k), only shape and type matter. padding: zeros on each side of x.
    """
    form = choose(x.device.type, processor.level(), x.dtype, tuple(x.shape), tuple(weight.shape))
    return form(x, grad, weight, padding)


def choose(
    device: str, level: Level, dtype: torch.dtype, x: tuple[int, ...], weight: tuple[int, ...]
) -> Form:
    """The form for an input and a weight of these shapes; a pure function.

    oneDNN's channels-last kernels for AVX-512 are as fast as its convolutions, unless there are few
    output channels. Those for AVX2 are, too, as long as a map fits into the cache; then they slow
    down, to a fifth at 40 000 pixels.
    """
    if device != "cpu":
        return whole
    pixels = x[2] * x[3]
    if level >= Level.AVX512 and is_narrow(weight) and weight[0] < weight[1]:
        return windows
    if level == Level.AVX2 and dtype == torch.float32:
        if is_narrow(weight):
            return windows
        if pixels > CACHED_PIXELS:
            return products
    return bands if pixels > MANY_PIXELS else whole


def is_narrow(weight: tuple[int, ...]) -> bool:
    """Whether one side has so few channels that all windows of it are no larger than the other."""
    few, many = sorted(weight[:2])
    return few * max(weight[2] * weight[3], 4) <= many


def whole(x: Tensor, grad: Tensor, weight: Tensor, padding: int) -> Gradients:
    """torch's own, for the whole batch."""
    _, grad_w, grad_b = torch.ops.aten.convolution_backward(
        grad, x, weight, [weight.shape[0]], [1, 1], [padding] * 2, [1, 1], False, [0, 0], 1,
        [False, True, True],
    )  # fmt: skip
    return at_least_float(grad_w), at_least_float(grad_b)


def bands(x: Tensor, grad: Tensor, weight: Tensor, padding: int) -> Gradients:
    """torch's own, picture by picture, a band of rows at a time."""
    parts = [whole(*part, weight, 0) for part in _bands(x, grad, padding)]
    grad_w, grad_b = (sum(kind) for kind in zip(*parts, strict=True))
    return grad_w, grad_b


def products(x: Tensor, grad: Tensor, weight: Tensor, padding: int) -> Gradients:
    """Products of bands of rows: the output's gradient with what each of its pixels sees.

    In a channels-last map the k * C numbers that a row of the kernel sees lie side by side, so that
    gathering them is quick, and some bands of them stay in the cache. Several bands are multiplied
    side by side, which keeps several threads busy with few barriers.
    """
    num_out, channels, size = weight.shape[:3]
    seen_by_pixel = size * size * channels
    sums = x.new_zeros(
        (SIDE_BY_SIDE, num_out, seen_by_pixel), dtype=torch.promote_types(x.dtype, torch.float32)
    )
    for seen, part in _bands(x, grad, padding) if padding else _pictures(x, grad):
        seen, part = _pixels(seen), _pixels(part)
        height, width = part.shape[:2]
        row = seen.stride(0)
        step = SIDE_BY_SIDE * max(1, PRODUCT_PIXELS // width)
        for top in range(0, height, step):
            some = part[top : top + step]
            num = SIDE_BY_SIDE if len(some) == step else 1  # the last rows are one band
            shape = (len(some), width, size, size * channels)
            gathered = seen[top:].as_strided(shape, (row, channels, row, 1))
            some, gathered = (
                some.reshape(num, -1, num_out),
                gathered.reshape(num, -1, seen_by_pixel),
            )
            _add_products(sums[:num], some.mT, gathered)
    grad_w = sums.sum(0).view(num_out, size, size, channels).permute(0, 3, 1, 2)
    return grad_w, bias_gradient(grad)


def windows(x: Tensor, grad: Tensor, weight: Tensor, padding: int) -> Gradients:
    """One product of the wide map with the windows of the narrow one, for a few rows at a time."""
    num_out, channels, size = weight.shape[:3]
    if channels <= num_out:
        total = _correlate(x, grad, size, padding)  # i j c o
        return total.permute(3, 2, 0, 1), bias_gradient(grad)
    total = _correlate(grad, x, size, size - 1 - padding)  # i j o c, back to front
    return total.flip(0, 1).permute(2, 3, 0, 1), bias_gradient(grad)


def _correlate(narrow: Tensor, wide: Tensor, size: int, padding: int) -> Tensor:
    """Sums over pixels of narrow[a,y+i-p,x+j-p] * wide[b,y,x], (k, k, A, B) float32."""
    few, many = narrow.shape[1], wide.shape[1]
    dtype = torch.promote_types(wide.dtype, torch.float32)
    total = torch.zeros((size * size * few, many), device=wide.device, dtype=dtype)
    for small, large in _pictures(narrow, wide):
        small = _pixels(F.pad(small, (padding,) * 4))
        large = _pixels(large)
        height, width = large.shape[:2]
        num = max(1, WINDOW_PIXELS // width)
        for top in range(0, height, num):
            part = large[top : top + num]
            seen = small[top:].as_strided(
                (size, size, few, len(part), width), (*small.stride()[:2], 1, *small.stride()[:2])
            )
            seen = seen.reshape(size * size * few, -1)
            part = part.reshape(-1, many)
            _add_products(total[None], seen[None], part[None])
    return total.view(size, size, few, many)


def _add_products(sums: Tensor, left: Tensor, right: Tensor) -> None:
    """sums[n] += left[n] @ right[n], in float32 however the factors are stored."""
    if left.dtype == sums.dtype:
        sums.baddbmm_(left, right)
    else:
        sums += left @ right


def bias_gradient(grad: Tensor) -> Tensor:
    """Gradient of a convolution's bias, (O,) float32; grad: of its output, (N, O, h, w)."""
    return at_least_float(grad.sum(dim=(0, 2, 3)))


def _pictures(x: Tensor, grad: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(x.split(1), grad.split(1), strict=True)


def _pixels(picture: Tensor) -> Tensor:
    """(1, C, h, w) as (h, w, C) with the pixels of a row side by side, copied only if need be."""
    channels = picture.shape[1]
    pixels = picture[0].permute(1, 2, 0)
    packed = pixels.stride(1) == channels and (channels == 1 or pixels.stride(2) == 1)
    return pixels if packed else pixels.contiguous()


def _bands(x: Tensor, grad: Tensor, padding: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Cut a convolution's input, padded, and its output's gradient into single pictures' rows."""
    eaten = x.shape[2] + 2 * padding - grad.shape[2]  # kernel size less 1
    num_rows = max(1, BAND_PIXELS // grad.shape[3])
    for picture, picture_grad in _pictures(x, grad):
        for top, part in zip(
            range(0, grad.shape[2], num_rows), picture_grad.split(num_rows, dim=2), strict=True
        ):
            first, num = top - padding, part.shape[2] + eaten  # rows that the band sees
            above = min(max(-first, 0), num)  # of them zeros
            seen = picture[:, :, max(first, 0) : max(first + num, 0)]
            if padding:
                below = num - above - seen.shape[2]
                seen = F.pad(seen, (padding, padding, above, below))
            yield seen, part
