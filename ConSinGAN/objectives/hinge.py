"""The hinge loss (Lim and Ye 2017, "Geometric GAN"; Miyato et al. 2018, eq. 16 and 17)."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from ConSinGAN.objectives.hinge_options import Options
from ConSinGAN.objectives.r1 import PointwiseR1


class Hinge(PointwiseR1):
    """critic: E relu(u - D(real)) + E relu(u + D(fake)); generator: -E D(fake).

    u is 1; with `label_smoothing` s it is drawn from [1 - s, 1] for every step of the critic, as in
    FastGAN's code (Liu et al. 2021), which takes 0.8 to 1, anew for every score.
    """

    name = "hinge"
    summary = "hinge loss: scores count up to a margin"
    defaults = {"lr_d": 0.0001}  # nothing holds the critic: quicker, it sees through every fake
    chance = {"smoothing": ()}
    options: Options

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options or Options())

    def of_real(self, scores: Tensor, chance: Mapping[str, Tensor]) -> Tensor:
        return F.relu(self._margin(chance) - scores)

    def of_fake(self, scores: Tensor, chance: Mapping[str, Tensor]) -> Tensor:
        return F.relu(self._margin(chance) + scores)

    def fooling(self, scores: Tensor) -> Tensor:
        return -scores

    def _margin(self, chance: Mapping[str, Tensor]) -> Tensor | float:
        smoothing = self.options.label_smoothing
        return 1 - smoothing * chance["smoothing"] if smoothing else 1.0
