"""WGAN-GP against a piecewise linear critic, in closed form."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ConSinGAN.critics.base import Clear, Critic
from ConSinGAN.critics.patch import PatchCritic
from ConSinGAN.fast.local_critic import LocalCritic, is_piecewise_linear
from ConSinGAN.layers import one_by_one
from ConSinGAN.objectives.base import Objective, Terms
from ConSinGAN.objectives.wgan_gp import WGANGP, gradient_penalty, mix


def quicken(objective: Objective, critic: Critic) -> Objective:
    """The objective, or one that does the same quicker where both are of the right kind."""
    if type(objective) is WGANGP and type(critic) is PatchCritic and is_piecewise_linear(critic):
        return ClosedFormWGANGP(objective.options)
    return objective


class ClosedFormWGANGP(WGANGP):
    """The loss of a piecewise linear critic and its gradient, without a second derivative.

    With g the critic's gradient at the mixed picture and v = d penalty / d g, the penalty's
    gradient of a weight pairs what v becomes on its way forward through the linearised critic
    with the gradient behind that convolution, just as the scores' gradient pairs the activations
    with it. So real, fake and mixed pictures share one forward pass, one backward pass and one
    weight gradient. Biases do not move the masks: the penalty has no gradient in them.
    """

    name = ""  # the name is WGANGP's: nobody chooses this one

    @torch.no_grad()
    def critic_step(
        self, critic: Critic, real: Tensor, fake: Tensor, chance: Mapping[str, Tensor],
        clear: Clear | None = None,
    ) -> Terms:  # fmt: skip
        assert isinstance(critic, PatchCritic)
        mixed = mix(real, fake, chance["coefficient"])
        pictures = torch.cat([real, fake, mixed])
        one = pictures.new_ones(1)
        signs = torch.cat([-one, one, one])  # of the scores: real, fake, mixed
        where = pixels = None
        if clear is not None:
            pixels, (scored,) = clear.pixels, clear.scores
            where = torch.cat([scored, torch.ones_like(scored), scored])
            signs[0] *= scored.numel() / scored.sum()  # its mean is that of fewer scores
        parts = [slice(i, i + 1) for i in range(3)] if one_by_one(pictures) else [slice(0, 3)]
        parameters = list(critic.parameters())
        sums = [pictures.new_zeros(())] * len(parameters)
        scores = []
        for part in parts:
            local = LocalCritic(critic, pictures[part], None if where is None else where[part])
            scores.append(local.scores)
            grads = local.pull_back(signs[part])
            if part.stop == 3:  # the last picture is the mixed one
                gradient = local.input_gradient([grads[0][-1:]])
                penalty, direction = self._penalty_and_direction(gradient, pixels)
                local.push_forward(direction * local.num_scores)
            num_scored = max(0, 2 - part.start)  # the mixed picture's score does not count
            gradients = local.parameter_gradients(grads, signs[part], num_scored)
            sums = [total + g for total, g in zip(sums, gradients, strict=True)]
            num_scores = local.num_scores
            del local, grads  # large, and the next part makes its own
        for parameter, total in zip(parameters, sums, strict=True):
            # Of the scores' means, and in the weight's layout: fused optimisers look at no strides.
            parameter.grad = torch.empty_like(parameter).copy_(total / num_scores)
        score_real, score_fake, _ = torch.cat(scores)
        return {"real": score_real, "fake": score_fake, "penalty": penalty}

    def _penalty_and_direction(
        self, gradient: Tensor, pixels: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The weighted penalty, and its derivative in the gradient (1, C, H, W)."""
        with torch.enable_grad():
            gradient = gradient.detach().requires_grad_()
            penalty = self.options.lambda_grad * gradient_penalty(gradient, pixels)
            return penalty.detach(), torch.autograd.grad(penalty, gradient)[0]
