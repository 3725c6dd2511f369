"""The growing generator of ConSinGAN, which passes on feature maps (paper section 3)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from ConSinGAN.layers import ConvBlock, conv, init_weights
from ConSinGAN.resize import upsample

Size = tuple[int, int]  # (h, w)


class ConSinGANGenerator(nn.Module):
    """head -> body[0] -> ... -> body[n] -> tail, one body per stage.

    Every stage upsamples the *feature map* of the one before, adds noise and refines it
    residually. Pictures are (N, image_channels, h, w) in [-1, 1].

    wide_border: upsample onto a border that the convolutions then consume (generation,
    animation) instead of padding with zeros (retarget, harmonization, editing).
    """

    def __init__(
        self,
        num_filters: int = 64,
        num_layer: int = 3,
        ker_size: int = 3,
        padding: int = 0,
        image_channels: int = 3,
        activation: str = "lrelu",
        slope: float = 0.05,
        batch_norm: bool = False,
        wide_border: bool = True,
    ) -> None:
        super().__init__()
        block = partial(
            ConvBlock,
            ker_size=ker_size,
            padding=padding,
            activation=activation,
            slope=slope,
            batch_norm=batch_norm,
        )
        self.head = block(image_channels, num_filters)
        self.body = nn.ModuleList([nn.Sequential()])
        for k in range(num_layer):
            self.body[0].add_module(f"block{k}", block(num_filters, num_filters))
        self.tail = nn.Sequential(nn.Conv2d(num_filters, image_channels, ker_size))
        self.pad = ker_size // 2 - padding  # what one convolution eats from each side
        self.border = self.pad * num_layer  # what one stage eats
        self.tail_padding = ker_size // 2
        self.wide_border = wide_border
        self.dtype = torch.float32  # of the arithmetic; weights stay float32
        init_weights(self)

    @property
    def num_stages(self) -> int:
        """The number of stages grown so far."""
        return len(self.body)

    @property
    def noise_border(self) -> int:
        """By how much the noise of stages >= 1 exceeds the stage's size on each side."""
        return self.border if self.wide_border else 0

    def grow(self) -> None:
        """Add a stage that starts as a copy of the last one."""
        self.body.append(copy.deepcopy(self.body[-1]))

    def forward(
        self, noise: Sequence[Tensor], sizes: Sequence[Size], noise_amp: Sequence[float]
    ) -> Tensor:
        """Draw pictures of size sizes[n-1] for n = len(noise) stages.

        noise[0] is the stage-0 input (N, C, *sizes[0]); noise[i] (N, filters, ...) as
        `noise.NoiseShape` says; noise_amp[0] is never used. Returns (N, C, h, w) in (-1, 1).
        """
        return self.render(self.features(noise, sizes, noise_amp))

    def features(
        self,
        noise: Sequence[Tensor],
        sizes: Sequence[Size],
        noise_amp: Sequence[float],
        first: int = 0,
        x: Tensor | None = None,
    ) -> Tensor:
        """The feature map of the last stage, (N, filters, h, w).

        Stages `first`, ... are run on the noise of all stages; x is the map of the stage before.
        """
        for stage in range(first, len(noise)):
            z = noise[stage].to(self.dtype, memory_format=torch.channels_last)
            if stage == 0:
                x = self._first_stage(z, sizes[0])
            else:
                x = self._refine(stage, x, z, sizes[stage], noise_amp[stage])
        return x

    def render(self, x: Tensor) -> Tensor:
        """Turn a feature map into a picture: tanh(tail(x)), float32."""
        tail = self.tail[0]
        return torch.tanh(conv(x, tail.weight, tail.bias, self.tail_padding).float())

    def _first_stage(self, z: Tensor, size: Size) -> Tensor:
        x = self.head(z, border=self.pad)  # h w
        if self.wide_border:
            x = upsample(x, (size[0] + 2 * self.pad, size[1] + 2 * self.pad))
            return self._run_body(0, x, border=self.border - self.pad)
        return self._run_body(0, x, border=self.border)

    def _refine(self, stage: int, x: Tensor, z: Tensor, size: Size, amplitude: float) -> Tensor:
        residual = upsample(x, size)
        if self.wide_border:
            wide = (size[0] + 2 * self.border, size[1] + 2 * self.border)
            noisy = torch.add(upsample(x, wide), z, alpha=amplitude)
            return residual + self._run_body(stage, noisy)
        noisy = torch.add(residual, z, alpha=amplitude)
        return residual + self._run_body(stage, noisy, border=self.border)

    def _run_body(self, stage: int, x: Tensor, border: int = 0) -> Tensor:
        for block in self.body[stage]:
            x = block(x, border)
            border = 0
        return x

    def trained_stages(self, train_depth: int) -> range:
        """The stages that learn while the last stage is trained."""
        return range(max(self.num_stages - train_depth, 0), self.num_stages)

    def freeze(self, train_depth: int) -> None:
        """Let only the last `train_depth` stages, the tail, and the head of stage 0, learn."""
        trained = self.trained_stages(train_depth)
        self.head.requires_grad_(trained.start == 0)
        for stage, body in enumerate(self.body):
            body.requires_grad_(stage in trained)

    def parameter_groups(self, train_depth: int, lr: float, lr_scale: float) -> list[dict]:
        """Adam's groups: lr * lr_scale^k for the stage k below the last; the head as stage 0."""
        last = self.num_stages - 1
        trained = self.trained_stages(train_depth)
        parts = [(f"body.{i}", self.body[i], lr * lr_scale ** (last - i)) for i in trained]
        if trained.start == 0:
            parts.append(("head", self.head, lr * lr_scale**last))
        parts.append(("tail", self.tail, lr))
        return [{"name": n, "params": list(m.parameters()), "lr": rate} for n, m, rate in parts]
