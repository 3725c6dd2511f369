"""The patch critic around given pictures, where it is linear."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN.critics.patch import PatchCritic
from ConSinGAN.fast.convolution import convolve, transposed
from ConSinGAN.fast.weight_gradient import at_least_float, bias_gradient, parameter_gradients
from ConSinGAN.layers import compute_weight, leaky_gradient_, score_windows, windows_of


def is_piecewise_linear(critic: PatchCritic) -> bool:
    """Whether the critic consists of convolutions and leaky ReLUs only."""
    return all(block.fused_slope != 1 for block in critic.blocks())


class LocalCritic:
    """A piecewise linear critic around given pictures, where every activation is a fixed mask.

    There the critic is a chain of convolutions and masks, so that all derivatives, also those of
    the gradient penalty, are chains of the same kind. Nothing is recorded by autograd. The last
    convolution is a matrix product, since only the mean of its scores is ever needed.

    scores: (N,) float32, the mean of each picture's scores. num_scores: how many there are. where:
    which of them count, (N, 1, h, w) of ones and zeros; None: all. inputs: of every convolution,
    first to last; the activations' outputs among them are the masks.
    """

    @torch.no_grad()
    def __init__(self, critic: PatchCritic, image: Tensor, where: Tensor | None = None) -> None:
        x = image.to(critic.dtype, memory_format=torch.channels_last)
        convs = [block.conv for block in critic.blocks()]
        self.weights = [compute_weight(layer.weight, x) for layer in convs]
        self.slope, self.padding = critic.head.fused_slope, critic.padding
        self.inputs = [x]
        biases = [cast(Tensor, layer.bias) for layer in convs]
        for bias, weight in zip(biases, self.weights, strict=True):
            x = convolve(x, weight, bias.to(x.dtype), self.padding)
            self.inputs.append(F.leaky_relu_(x, self.slope))
        self.tail = critic.tail.weight.detach()[0].flatten(1).T  # k*k C
        self.kernel_size = critic.tail.kernel_size
        self.windows, self.num_scores = score_windows(
            tuple(x.shape[2:]), self.kernel_size[0], self.padding, x.device, x.dtype
        )
        self.counts: Tensor | int = self.num_scores  # of every picture: how many scores count
        if where is not None:
            self.counts = where.flatten(1).sum(1)
            self.windows = windows_of(where.to(x.dtype), self.kernel_size[0], self.padding)
        self.seen, tail_bias = self._seen(x, self.windows), cast(Tensor, critic.tail.bias)
        self.scores = (self.seen * self.tail).sum((1, 2)) / self.counts + tail_bias

    def _seen(self, x: Tensor, windows: Tensor) -> Tensor:
        """Sums of what every element of the last convolution's kernel sees, (N, k*k, C) float32.

        Row by row: whole sums, rounded, would say little of the difference of real and fake.
        """
        return at_least_float(windows @ x.permute(0, 2, 3, 1)).sum(1)  # of N H k*k C

    def pull_back(self, seed: Tensor) -> list[Tensor]:
        """Gradients of the sum of seed * counts * scores behind every convolution but the last.

        seed: (N,) float32.
        """
        tail = (seed.view(-1, 1, 1, 1) * self.tail).to(self.windows.dtype)  # N 1 k*k C
        grad = (self.windows.mT @ tail).permute(0, 3, 1, 2)
        grads = [leaky_gradient_(grad, self.inputs[-1], self.slope)]
        for weight, output in zip(self.weights[:0:-1], self.inputs[-2:0:-1], strict=True):
            grad = transposed(grads[0], weight, self.padding)
            grads.insert(0, leaky_gradient_(grad, output, self.slope))
        return grads

    def input_gradient(self, grads: list[Tensor]) -> Tensor:
        """The gradient of the picture, at least float32, from what `pull_back` returned."""
        return at_least_float(transposed(grads[0], self.weights[0], self.padding))

    def push_forward(self, direction: Tensor) -> None:
        """Let what the last picture put into every convolution become its derivative.

        direction: (1, C, H, W), along which. The masks are used up by this: call it last.
        """
        self.inputs[0][-1:] = direction
        for weight, (before, after) in zip(self.weights, pairwise(self.inputs), strict=True):
            after[-1:] = leaky_gradient_(
                convolve(before[-1:], weight, None, self.padding), after[-1:], self.slope
            )
        last = self.windows if self.windows.dim() == 3 else self.windows[-1:]
        self.seen[-1:] = self._seen(after[-1:], last)

    def parameter_gradients(
        self, grads: list[Tensor], seed: Tensor, num_scored: int
    ) -> list[Tensor]:
        """Gradients of weight and bias of every convolution, float32, summed over the pictures.

        Biases take part in the scores of the first `num_scored` pictures only.
        """
        gradients = []
        for x, grad, weight in zip(self.inputs, grads, self.weights, strict=False):
            weight, bias = parameter_gradients(x, grad, weight, self.padding)
            if num_scored < len(x):
                bias = bias_gradient(grad[:num_scored])
            gradients += [weight, bias]
        tail = (seed.view(-1, 1, 1) * self.seen).sum(0).T.unflatten(1, self.kernel_size)  # C k k
        if isinstance(self.counts, int):
            tail_bias = self.counts * seed[:num_scored].sum(0, keepdim=True)
        else:
            tail_bias = (self.counts * seed)[:num_scored].sum(0, keepdim=True)
        return [*gradients, tail[None], tail_bias]
