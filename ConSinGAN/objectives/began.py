"""Boundary equilibrium (Berthelot et al. 2017, "BEGAN", section 3.3 to 3.5)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ConSinGAN.critics.base import Clear, Critic
from ConSinGAN.objectives.base import Objective, Terms, judge, mean
from ConSinGAN.objectives.began_options import Options

LAMBDA_K = 0.001  # how quickly k follows


class BEGAN(Objective):
    """critic: L(real) - k L(fake); generator: L(fake); L is the mean of the critic's scores.

    Those are what an autoencoder gets wrong, abs(v - D(v)). After every step of the critic
    k <- clip(k + lambda_k (gamma L(real) - L(fake)), 0, 1), which holds L(fake) at gamma L(real).
    """

    name = "began"
    summary = "boundary equilibrium: the critic is an autoencoder, its error the loss"
    needs = {"critic": "autoencoder"}
    defaults = {"lr_d": 0.0001}  # quicker, L(real) falls from under the fakes and k stays at 0
    leaves_out = True
    options: Options
    k: Tensor

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options or Options())
        self.register_buffer("k", torch.zeros(()))

    def critic_step(
        self, critic: Critic, real: Tensor, fake: Tensor, chance: Mapping[str, Tensor],
        clear: Clear | None = None,
    ) -> Terms:  # fmt: skip
        """As the base class says; `convergence` of the terms is the paper's measure of it."""
        real_maps, fake_maps = judge(critic, real, fake)
        of_real = mean(real_maps, None if clear is None else clear.scores).mean()
        of_fake = mean(fake_maps).mean()
        (of_real - self.k * of_fake).backward()
        with torch.no_grad():
            balance = self.options.began_gamma * of_real - of_fake
            self.k.copy_((self.k + LAMBDA_K * balance).clamp(0, 1))
            convergence = of_real + balance.abs()
        return {
            "real": of_real.detach(), "fake": of_fake.detach(), "k": self.k.clone(),
            "convergence": convergence,
        }  # fmt: skip

    def generator_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        return mean(critic.maps(fake)).mean()
