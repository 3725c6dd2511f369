"""Least squares (Mao et al. 2017, eq. 9: a = 0, b = c = 1)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ConSinGAN.objectives.r1 import PointwiseR1


class LSGAN(PointwiseR1):
    """critic: E(D(real) - 1)^2 / 2 + E D(fake)^2 / 2; generator: E(D(fake) - 1)^2 / 2."""

    name = "lsgan"
    summary = "least squares: real scores 1, fakes 0"
    defaults = {"lr_d": 0.0001}  # nothing holds the critic: quicker, it sees through every fake

    def of_real(self, scores: Tensor, chance: Mapping[str, Tensor]) -> Tensor:
        return (scores - 1).square() / 2

    def of_fake(self, scores: Tensor, chance: Mapping[str, Tensor]) -> Tensor:
        return scores.square() / 2

    def fooling(self, scores: Tensor) -> Tensor:
        return (scores - 1).square() / 2
