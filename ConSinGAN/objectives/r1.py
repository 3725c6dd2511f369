"""R1, a penalty that holds a critic flat around the real picture (Mescheder et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from ConSinGAN.critics.base import Clear, Critic
from ConSinGAN.objectives.pointwise import Pointwise
from ConSinGAN.objectives.r1_options import Options


class PointwiseR1(Pointwise):
    """With `r1` the critic minimises r1 / 2 * `squared_gradient` besides."""

    remedy = ", raise `r1`"
    options: Options

    def __init__(self, options: Options | None = None) -> None:
        """options: without them there is no penalty."""
        super().__init__(options or Options())

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
