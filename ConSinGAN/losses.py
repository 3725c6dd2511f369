"""WGAN-GP on one picture, and the reconstruction loss (paper section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN.models import Critic


@dataclass(frozen=True)
class CriticLoss:
    """The terms of the critic's loss, scalars: total = fake - real + penalty."""

    real: Tensor  # mean score of the real picture
    fake: Tensor  # mean score of the fake
    penalty: Tensor  # weighted gradient penalty

    @property
    def total(self) -> Tensor:
        """What the critic minimises."""
        return self.fake - self.real + self.penalty


def critic_loss(
    critic: Critic, real: Tensor, fake: Tensor, coefficient: Tensor, weight: float
) -> CriticLoss:
    """The WGAN-GP loss; real and fake: (1, C, H, W), the fake detached.

    coefficient: share of the real picture in the interpolation that is penalised, in [0, 1].
    weight: of the gradient penalty (lambda).
    """
    scores_real, scores_fake = critic(torch.cat([real, fake])).mean(dim=(1, 2, 3))
    mixed = coefficient * real + (1 - coefficient) * fake
    return CriticLoss(scores_real, scores_fake, weight * gradient_penalty(critic, mixed))


def gradient_penalty(critic: Critic, image: Tensor) -> Tensor:
    """Mean over pixels of (||d critic / d pixel|| - 1)^2, the norm over the channels.

    The paper's code penalises every pixel, where WGAN-GP (Gulrajani et al. 2017, eq. 3) takes one
    norm of the whole picture.
    """
    gradient = critic.input_gradient(image)  # 1 C H W
    return ((gradient.norm(dim=1) - 1) ** 2).mean()


def adversarial_loss(critic: Critic, fake: Tensor) -> Tensor:
    """-E[critic(fake)], what the generator minimises."""
    return -critic(fake).mean()


def reconstruction_loss(reconstruction: Tensor, real: Tensor, weight: float) -> Tensor:
    """weight (the paper's alpha) times the mean squared error."""
    return weight * F.mse_loss(reconstruction, real)


def noise_amplitude(reconstruction: Tensor, real: Tensor, factor: float) -> float:
    """The amplitude of a new stage's noise: factor times the root mean squared error."""
    return factor * F.mse_loss(reconstruction, real).sqrt().item()
