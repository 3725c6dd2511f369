"""The original GAN (Goodfellow et al. 2014, section 3), in the form that does not saturate."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN.critics.base import Clear, Critic
from ConSinGAN.objectives.nonsaturating_options import Options
from ConSinGAN.objectives.pointwise import Pointwise


class NonSaturating(Pointwise):
    """critic: E softplus(-D(real)) + E softplus(D(fake)); generator: E softplus(-D(fake)).

    With `r1` the critic minimises r1 / 2 * `squared_gradient` besides.
    """

    name = "nonsaturating"
    summary = "cross entropy, the original GAN's"
    defaults = {"lr_d": 0.0001}  # nothing holds the critic: quicker, it sees through every fake
    remedy = ", raise `r1`"
    options: Options

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options or Options())

    def of_real(self, scores: Tensor, chance: Mapping[str, Tensor]) -> Tensor:
        return F.softplus(-scores)

    def of_fake(self, scores: Tensor, chance: Mapping[str, Tensor]) -> Tensor:
        return F.softplus(scores)

    def fooling(self, scores: Tensor) -> Tensor:
        return F.softplus(-scores)

    def penalty(self, critic: Critic, real: Tensor, clear: Clear | None) -> Tensor | None:
        if not self.options.r1:
            return None
        return self.options.r1 / 2 * squared_gradient(critic, real, clear)


def squared_gradient(critic: Critic, real: Tensor, clear: Clear | None = None) -> Tensor:
    """Mean over pixels of ||d sum of D's scores / d pixel||^2 at the real picture.

    The norm is taken over the channels of each pixel. Where Mescheder et al. (2018, eq. 9) have one
    score a picture, a patch critic has many: this is their R1 by the pixel. clear: which of the
    scores and pixels count.
    """
    real = real.detach().requires_grad_()
    maps = critic.maps(real)
    if clear is not None:
        maps = [scores * w for scores, w in zip(maps, clear.scores, strict=True)]
    total = torch.stack([scores.sum() for scores in maps]).sum()
    (gradient,) = torch.autograd.grad(total, real, create_graph=True)
    squares = gradient.square().sum(1)
    if clear is None:
        return squares.mean()
    return (squares * clear.pixels[:, 0]).sum() / clear.pixels.sum()
