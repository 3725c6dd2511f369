"""WGAN-GP on one picture, and the reconstruction loss (paper section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ConSinGAN.layers import one_by_one
from ConSinGAN.models import Critic, LocalCritic


@dataclass(frozen=True)
class CriticLoss:
    """The critic's loss, total = fake - real + penalty; scalars. Only the total has a gradient."""

    real: Tensor  # mean score of the real picture
    fake: Tensor  # mean score of the fake
    penalty: Tensor  # weighted gradient penalty
    total: Tensor


def critic_loss(
    critic: Critic, real: Tensor, fake: Tensor, coefficient: Tensor, weight: float
) -> CriticLoss:
    """The WGAN-GP loss; real and fake: (1, C, H, W), the fake detached.

    coefficient: share of the real picture in the interpolation that is penalised, in [0, 1].
    weight: of the gradient penalty (lambda).
    """
    mixed = coefficient * real + (1 - coefficient) * fake
    if critic.is_piecewise_linear:
        parameters = tuple(critic.parameters())
        return CriticLoss(*_WassersteinGP.apply(critic, weight, real, fake, mixed, *parameters))
    score_real, score_fake = critic(torch.cat([real, fake])).mean(dim=(1, 2, 3))
    penalty = weight * gradient_penalty(critic.input_gradient(mixed))
    return CriticLoss(score_real, score_fake, penalty, score_fake - score_real + penalty)


def gradient_penalty(gradient: Tensor) -> Tensor:
    """Mean over pixels of (||d critic / d pixel|| - 1)^2; gradient: (1, C, H, W).

    The norm is taken over the channels of each pixel, as in the paper's code, where WGAN-GP
    (Gulrajani et al. 2017, eq. 3) takes one norm of the whole picture.
    """
    return ((gradient.norm(dim=1) - 1) ** 2).mean()


class _WassersteinGP(torch.autograd.Function):
    """The loss of a piecewise linear critic and its gradient, in closed form.

    With g the critic's gradient at the mixed picture and v = d penalty / d g, the penalty's
    gradient of a weight pairs what v becomes on its way forward through the linearised critic
    with the gradient behind that convolution, just as the scores' gradient pairs the activations
    with it. So real, fake and mixed pictures share one forward pass, one backward pass and one
    weight gradient, and no second derivative is taken. Biases do not move the masks: the penalty
    has no gradient in them.
    """

    @staticmethod
    def forward(ctx, critic, weight, real, fake, mixed, *parameters):
        pictures = torch.cat([real, fake, mixed])
        one = pictures.new_ones(1)
        signs = torch.cat([-one, one, one])  # of the scores: real, fake, mixed
        parts = [slice(i, i + 1) for i in range(3)] if one_by_one(pictures) else [slice(0, 3)]
        sums, scores = [0.0] * len(parameters), []
        for part in parts:
            local = LocalCritic(critic, pictures[part])
            scores.append(local.scores)
            grads = local.pull_back(signs[part])
            if part.stop == 3:  # the last picture is the mixed one
                gradient = local.input_gradient([grads[0][-1:]])
                penalty, direction = _penalty_and_direction(gradient, weight)
                local.push_forward(direction * local.num_scores)
            num_scored = max(0, 2 - part.start)  # the mixed picture's score does not count
            gradients = local.parameter_gradients(grads, signs[part], num_scored)
            sums = [total + g for total, g in zip(sums, gradients, strict=True)]
            num_scores = local.num_scores
            del local, grads  # large, and the next part makes its own
        score_real, score_fake, _ = torch.cat(scores)
        total = score_fake - score_real + penalty
        grads = [total_grad / num_scores for total_grad in sums]  # of the scores' means
        ctx.save_for_backward(*grads)
        ctx.mark_non_differentiable(score_real, score_fake, penalty)
        return score_real, score_fake, penalty, total

    @staticmethod
    @once_differentiable
    def backward(ctx, _real, _fake, _penalty, grad):
        return None, None, None, None, None, *(saved * grad for saved in ctx.saved_tensors)


def _penalty_and_direction(gradient: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """The weighted penalty, and its derivative in the gradient (1, C, H, W)."""
    with torch.enable_grad():
        gradient = gradient.detach().requires_grad_()
        penalty = weight * gradient_penalty(gradient)
        return penalty.detach(), torch.autograd.grad(penalty, gradient)[0]


def adversarial_loss(critic: Critic, fake: Tensor) -> tuple[Tensor, Tensor]:
    """-E[critic(fake)], what the generator minimises, a scalar, and its gradient in the fake.

    fake, gradient: (1, C, H, W); neither result is recorded by autograd.
    """
    with torch.enable_grad():
        fake = fake.detach().requires_grad_()
        loss = -critic(fake).mean()
    return loss.detach(), torch.autograd.grad(loss, fake)[0]


def reconstruction_loss(reconstruction: Tensor, real: Tensor, weight: float) -> Tensor:
    """weight (the paper's alpha) times the mean squared error."""
    return weight * F.mse_loss(reconstruction, real)


def noise_amplitude(reconstruction: Tensor, real: Tensor, factor: float) -> float:
    """The amplitude of a new stage's noise: factor times the root mean squared error."""
    return factor * F.mse_loss(reconstruction, real).sqrt().item()
