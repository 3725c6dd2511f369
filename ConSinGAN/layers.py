"""The convolution block: convolution, optional normalisation, activation.

With a leaky ReLU the convolution and its activation are one autograd node: the activation works
in place and its gradient is read off the sign of the output, so one map is kept instead of two.
Weights stay float32; the arithmetic is done in the type of the input.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight

from ConSinGAN.fast.convolution import convolve, transposed
from ConSinGAN.fast.weight_gradient import MANY_PIXELS, parameter_gradients
from ConSinGAN.norms import Norms, Statistics

if TYPE_CHECKING:
    from ConSinGAN.config import TrainConfig


def leaky_gradient(grad: Tensor, output: Tensor, slope: float) -> Tensor:
    """Gradient before a leaky ReLU, from the one behind it and the leaky ReLU's output."""
    return torch.ops.aten.leaky_relu_backward(grad, output, slope, True)


def leaky_gradient_(grad: Tensor, output: Tensor, slope: float) -> Tensor:
    """`leaky_gradient` in place of grad."""
    op = torch.ops.aten.leaky_relu_backward.grad_input
    return op(grad, output, slope, True, grad_input=grad)


def compute_weight(weight: Tensor, like: Tensor) -> Tensor:
    """The weight in the type of `like`, channels last."""
    return weight.to(like.dtype, memory_format=torch.channels_last)


@lru_cache(maxsize=32)
def score_windows(
    size: tuple[int, int], kernel: int, padding: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, int]:
    """Which pixels every element of a kernel sees, all its positions together, and their number.

    size: (H, W) of the map that the kernel moves over. Returns (H, k*k, W) of zeros and ones: its
    product with the map, summed, is the weight gradient of the sum of a convolution's outputs.
    """
    num_rows, num_columns = (side + 2 * padding - kernel + 1 for side in size)
    ones = torch.ones((1, 1, num_rows, num_columns), device=device, dtype=dtype)
    return windows_of(ones, kernel, padding)[0], ones.numel()


def windows_of(where: Tensor, kernel: int, padding: int) -> Tensor:
    """As `score_windows`, of weighted scores (N, 1, h, w): (N, H, k*k, W)."""
    size = [side + kernel - 1 - 2 * padding for side in where.shape[2:]]
    seen = F.unfold(where, kernel, padding=kernel - 1 - padding).flip(1)  # N k*k H*W
    return seen.view(len(where), -1, *size).transpose(1, 2).contiguous()


def one_by_one(x: Tensor) -> bool:
    """Whether maps of this size are better treated one picture at a time than as a batch.

    Small ones are bound by the cost of calls; for large ones a processor's convolution weight
    gradients are faster singly, and less memory is needed.
    """
    return x.shape[2] * x.shape[3] > MANY_PIXELS and x.device.type == "cpu"


class _ConvLeakyReLU(torch.autograd.Function):
    """leaky_relu(conv2d(x)); slope 1 means no activation."""

    @staticmethod
    def forward(ctx, x, weight, bias, padding, slope):
        w = compute_weight(weight, x)
        out = convolve(x, w, bias.to(x.dtype), padding)
        if slope != 1:
            F.leaky_relu_(out, slope)
        ctx.save_for_backward(x, w, out if slope != 1 else None, weight)
        ctx.padding, ctx.slope = padding, slope
        return out

    @staticmethod
    def backward(ctx, grad):
        if torch.is_grad_enabled():  # it is recorded itself, for a second derivative
            return _ConvLeakyReLU.differentiable_backward(ctx, grad)
        x, w, out, _ = ctx.saved_tensors
        if out is not None:
            grad = leaky_gradient(grad, out, ctx.slope)
        grad_x = grad_w = grad_b = None
        if ctx.needs_input_grad[0]:
            grad_x = transposed(grad, w, ctx.padding)
        if ctx.needs_input_grad[1]:
            grad_w, grad_b = parameter_gradients(x, grad, w, ctx.padding)
        return grad_x, grad_w, grad_b, None, None

    @staticmethod
    def differentiable_backward(ctx, grad):
        """The same in torch's own operations, which have derivatives."""
        x, _, out, weight = ctx.saved_tensors
        if out is not None:
            grad = leaky_gradient(grad, out, ctx.slope)
        grad_x = F.conv_transpose2d(grad, weight.to(x.dtype), padding=ctx.padding)
        grad_w = conv2d_weight(x, list(weight.shape), grad, padding=ctx.padding)
        grad_b = grad.sum((0, 2, 3))
        return grad_x, grad_w.to(weight.dtype), grad_b.to(weight.dtype), None, None


def conv(
    x: Tensor, weight: Tensor, bias: Tensor | None, padding: int = 0, slope: float = 1
) -> Tensor:
    """leaky_relu(conv2d(x, weight, bias), slope) in the type of x; slope 1: the convolution alone.

    x: (N, C, H, W), channels last is fast. Gradients of the weights have the weights' type.
    Differentiable as often as one likes, quickly once.
    """
    return _ConvLeakyReLU.apply(x, weight, bias, padding, slope)


class _PReLU(nn.PReLU):
    """torch's PReLU for inputs of any type."""

    def forward(self, x: Tensor) -> Tensor:
        return F.prelu(x, self.weight.to(x.dtype))


def make_activation(name: str, slope: float) -> nn.Module:
    """The activation of that name; `slope` is the leaky ReLU's."""
    makers: dict[str, Callable[[], nn.Module]] = {
        "lrelu": lambda: nn.LeakyReLU(slope),
        "elu": nn.ELU,
        "prelu": _PReLU,
        "selu": nn.SELU,
    }
    return makers[name]()


class PictureNorm(nn.Module):
    """Batch normalisation with the statistics of each single picture, always (never running ones).

    Equal to training-mode batch norm on a batch of one, which is how the paper's code trains and
    samples; a batch of n here gives what n batches of one would.
    """

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.eps = eps

    def forward(self, x: Tensor, known: Statistics | None = None) -> Tensor:
        """(N, C, h, w) -> the same. known: the statistics, if x is a part of one picture."""
        if known is not None:
            return F.batch_norm(x, *known, self.weight, self.bias, False, 0.0, self.eps)
        pictures = [self._normalise(picture) for picture in x.split(1)]
        return pictures[0] if len(pictures) == 1 else torch.cat(pictures)

    def _normalise(self, x: Tensor) -> Tensor:
        if x.shape[2:].numel() == 1:  # a single value is its own mean
            return self.bias.to(x.dtype).view(1, -1, 1, 1).expand_as(x)
        return F.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)


class ConvBlock(nn.Module):
    """Convolution without (or with `padding`) zero padding, optional PictureNorm, activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        ker_size: int,
        padding: int,
        activation: str,
        slope: float,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, ker_size)
        if batch_norm:
            self.norm = PictureNorm(out_channels)
        self.padding = padding
        # Without a norm in between, a leaky ReLU is done by the convolution's own node.
        self.fused_slope = slope if activation == "lrelu" and not batch_norm else 1
        self.batch_norm = batch_norm
        if self.fused_slope == 1:
            self.activation = make_activation(activation, slope)

    def forward(
        self, x: Tensor, border: int = 0, norms: Norms | None = None, index: int = 0
    ) -> Tensor:
        """(N, in, H, W) -> (N, out, h, w); `border` more zeros are put around x.

        norms: if x is a part of a picture; the block's own is number `index` of them.
        """
        weight, bias = self.conv.weight, self.conv.bias
        x = conv(x, weight, bias, self.padding + border, self.fused_slope)
        if self.batch_norm:
            x = self.norm(x, None if norms is None else norms.of(index, x))
        return x if self.fused_slope != 1 else self.activation(x)


@dataclass(frozen=True)
class NetworkShape:
    """What generator and critic have in common: how their convolution blocks are made."""

    num_filters: int = 64
    num_layer: int = 3  # blocks of a body
    ker_size: int = 3
    padding: int = 0  # zeros around the input of every convolution
    image_channels: int = 3
    activation: str = "lrelu"
    slope: float = 0.05  # of the leaky ReLU

    @classmethod
    def of(cls, config: TrainConfig) -> NetworkShape:
        """That of a configuration."""
        return cls(
            config.nfc, config.num_layer, config.ker_size, config.padd_size, config.nc_im,
            config.activation, config.lrelu_alpha,
        )  # fmt: skip

    def block(self, in_channels: int, batch_norm: bool = False) -> ConvBlock:
        """A block that makes `num_filters` channels."""
        return ConvBlock(
            in_channels, self.num_filters, self.ker_size, self.padding, self.activation,
            self.slope, batch_norm,
        )  # fmt: skip

    def body(self, batch_norm: bool = False) -> nn.Sequential:
        """`num_layer` blocks, one after the other."""
        body = nn.Sequential()
        for k in range(self.num_layer):
            body.add_module(f"block{k}", self.block(self.num_filters, batch_norm))
        return body


WIDEST = 128  # filters up to which networks grow


def width_at(num_filters: int, stage: int) -> int:
    """The filters of a stage, where every fourth one has twice those of the first (SinGAN)."""
    return min(num_filters * 2 ** (stage // 4), max(num_filters, WIDEST))


_drawing_weights = threading.Lock()  # torch draws them from one source for all threads


@contextmanager
def drawing_weights(*seed: int) -> Iterator[None]:
    """Weights that are made here are the same for the same numbers, whatever other threads do.

    Without numbers they are any. What torch draws afterwards, for others, is as if nothing had been
    drawn here.
    """
    with _drawing_weights, torch.random.fork_rng(devices=[]):
        if len(seed) == 1:
            torch.manual_seed(seed[0])
        elif seed:
            torch.manual_seed(
                int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]) >> 1
            )
        yield


@torch.no_grad()
def init_weights(module: nn.Module) -> None:
    """Convolution weights N(0, 0.02), norm weights N(1, 0.02); biases keep torch's default."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            part.weight.normal_(0, 0.02)
        elif isinstance(part, PictureNorm):
            part.weight.normal_(1, 0.02)
            part.bias.zero_()
