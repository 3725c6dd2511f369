"""A generator that adds what is missing to the enlarged stage-0 input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ConSinGAN.fast.weight_gradient import at_least_float
from ConSinGAN.frame import Border, Frame, Size, interpolation
from ConSinGAN.generators.base import Generator
from ConSinGAN.generators.consingan import ConSinGANGenerator, cut_window
from ConSinGAN.layers import NetworkShape
from ConSinGAN.resize import interpolate

if TYPE_CHECKING:
    from ConSinGAN.config import TrainConfig


class ResidualGenerator(ConSinGANGenerator):
    """ConSinGAN's stages, whose picture is the stage-0 input, enlarged, plus tail(x).

    Stages share the edges of their outermost pixels (half-pixel centres), so that nothing is
    shifted against what a picture was reduced from. Without an amplitude there are no noise maps.
    Pictures are about in [-1, 1]: nothing cuts what overshoots.
    """

    name = "residual"
    summary = "adds what is missing to the enlarged input"

    def __init__(
        self, shape: NetworkShape | None = None, batch_norm: bool = False,
        border: Border = "zeros", noisy: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(shape, batch_norm, border)
        self.noisy = noisy
        # A fresh network changes nothing.
        for parameter in self.tail.parameters():
            torch.nn.init.zeros_(parameter)

    @classmethod
    def from_config(cls, config: TrainConfig, border: Border) -> Generator:
        options = config.options_of("generator")
        return cls(NetworkShape.of(config), options.batch_norm, border, config.noise_amp > 0)

    def noise_channels(self, stage: int) -> int:
        return super().noise_channels(stage) if self.noisy or stage == 0 else 0

    def whole_frame(self, sizes: Sequence[Size]) -> Frame:
        return (
            Frame.whole(sizes, "wrap")
            if self.border == "wrap"
            else Frame.centred(sizes, self.border)
        )

    def render(
        self, state: Tensor, frame: Frame | None = None, first: Tensor | None = None
    ) -> Tensor:
        """The enlarged input plus tail(x). Raises ValueError if the input or frame is missing."""
        if frame is None or first is None:
            raise ValueError("the picture is made of the stage-0 input: hand it over")
        source, target = frame.places[0], frame.places[-1]
        rows = interpolation(source.rows, target.rows)
        columns = interpolation(source.columns, target.columns)
        base = interpolate(at_least_float(first), rows, columns)
        return cut_window(base + self._tail(state, frame), frame)
