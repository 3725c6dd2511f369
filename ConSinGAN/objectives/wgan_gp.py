"""WGAN-GP on one picture (paper section 3.2; Gulrajani et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ConSinGAN.critics.base import Clear, Critic
from ConSinGAN.objectives.base import Objective, Terms, mean
from ConSinGAN.objectives.wgan_gp_options import Options


class WGANGP(Objective):
    """critic: E[D(fake)] - E[D(real)] + lambda * penalty; generator: -E[D(fake)]."""

    name = "wgan-gp"
    summary = "Wasserstein distance with a gradient penalty (the paper's)"
    chance = {"coefficient": ()}  # share of the real picture in the one that is penalised
    remedy = ", raise `lambda_grad`"
    options: Options
    leaves_out = True

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options or Options())

    def critic_step(
        self, critic: Critic, real: Tensor, fake: Tensor, chance: Mapping[str, Tensor],
        clear: Clear | None = None,
    ) -> Terms:  # fmt: skip
        maps = critic.maps(torch.cat([real, fake]))
        score_real, score_fake = mean(maps)
        mixed = mix(real, fake, chance["coefficient"]).requires_grad_()
        judged, pixels = critic.maps(mixed), None
        if clear is not None:
            score_real = mean([scores[:1] for scores in maps], clear.scores)[0]
            judged = [scores * w for scores, w in zip(judged, clear.scores, strict=True)]
            pixels = clear.pixels
        score = torch.stack([scores.sum() for scores in judged]).sum()
        (gradient,) = torch.autograd.grad(score, mixed, create_graph=True)
        penalty = self.options.lambda_grad * gradient_penalty(gradient, pixels)
        (score_fake - score_real + penalty).backward()
        terms = {"real": score_real, "fake": score_fake, "penalty": penalty}
        return {name: value.detach() for name, value in terms.items()}

    def generator_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        return -mean(critic.maps(fake)).mean()


def mix(real: Tensor, fake: Tensor, coefficient: Tensor) -> Tensor:
    """The picture between real and fake where the critic's gradient is taken."""
    return coefficient * real + (1 - coefficient) * fake


def gradient_penalty(gradient: Tensor, pixels: Tensor | None = None) -> Tensor:
    """Mean over pixels of (||d critic / d pixel|| - 1)^2; gradient: (1, C, H, W).

    pixels: weights (1, 1, H, W); None: all alike.

    The norm is taken over the channels of each pixel, as in the paper's code, where WGAN-GP
    (Gulrajani et al. 2017, eq. 3) takes one norm of the whole picture.
    """
    excess = (gradient.norm(dim=1) - 1) ** 2
    return excess.mean() if pixels is None else (excess * pixels[:, 0]).sum() / pixels.sum()
