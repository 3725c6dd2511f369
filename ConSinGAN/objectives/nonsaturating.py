"""The original GAN (Goodfellow et al. 2014, section 3), in the form that does not saturate."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from ConSinGAN.objectives.r1 import PointwiseR1


class NonSaturating(PointwiseR1):
    """critic: E softplus(-D(real)) + E softplus(D(fake)); generator: E softplus(-D(fake))."""

    name = "nonsaturating"
    summary = "cross entropy, the original GAN's"
    defaults = {"lr_d": 0.0001}  # nothing holds the critic: quicker, it sees through every fake

    def of_real(self, scores: Tensor, chance: Mapping[str, Tensor]) -> Tensor:
        return F.softplus(-scores)

    def of_fake(self, scores: Tensor, chance: Mapping[str, Tensor]) -> Tensor:
        return F.softplus(scores)

    def fooling(self, scores: Tensor) -> Tensor:
        return F.softplus(-scores)
