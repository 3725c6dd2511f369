"""The Wasserstein GAN with clipped weights (Arjovsky et al. 2017, algorithm 1)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ConSinGAN.critics.base import Critic
from ConSinGAN.objectives.pointwise import Pointwise
from ConSinGAN.objectives.wgan_options import Options


class WGAN(Pointwise):
    """critic: E D(fake) - E D(real), its weights in [-clip, clip]; generator: -E D(fake)."""

    name = "wgan"
    summary = "Wasserstein distance with clipped weights"
    defaults = {"lr_d": 0.00005}  # the paper's; quicker, all weights lie at the bounds at once
    remedy = ", lower `clip`"
    options: Options

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options or Options())

    def of_real(self, scores: Tensor, chance: Mapping[str, Tensor]) -> Tensor:
        return -scores

    def of_fake(self, scores: Tensor, chance: Mapping[str, Tensor]) -> Tensor:
        return scores

    def fooling(self, scores: Tensor) -> Tensor:
        return -scores

    @torch.no_grad()
    def after_critic(self, critic: Critic) -> None:
        for parameter in critic.parameters():
            parameter.clamp_(-self.options.clip, self.options.clip)
