"""The closed form of the critic's loss against double backward."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from test_models import leaky_critic, plain_scores

from ConSinGAN import losses
from ConSinGAN.models import Critic


def by_double_backward(
    critic: Critic, real: torch.Tensor, fake: torch.Tensor, coefficient: float, weight: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    mixed = (coefficient * real + (1 - coefficient) * fake).requires_grad_()
    scores = plain_scores(critic, mixed)
    (gradient,) = torch.autograd.grad(scores.sum(), mixed, create_graph=True)
    penalty = weight * ((gradient.norm(dim=1) - 1) ** 2).mean()
    return plain_scores(critic, real).mean(), plain_scores(critic, fake).mean(), penalty


@pytest.mark.parametrize("coefficient", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("size", [(14, 17), (90, 80)], ids=["as a batch", "one by one"])
@pytest.mark.parametrize("options", [{}, {"padding": 1}], ids=str)
def test_closed_form(coefficient: float, size: tuple[int, int], options: dict) -> None:
    critic = leaky_critic(**options)
    real, fake = torch.randn(1, 3, *size), torch.randn(1, 3, *size)
    expected = by_double_backward(critic, real, fake, coefficient, 0.7)
    (expected[1] - expected[0] + expected[2]).backward()
    gradients = [p.grad for p in critic.parameters()]
    critic.zero_grad()
    loss = losses.critic_loss(critic, real, fake, torch.tensor(coefficient), 0.7)
    loss.total.backward()
    for actual, value in zip((loss.real, loss.fake, loss.penalty), expected, strict=True):
        torch.testing.assert_close(actual, value.detach(), rtol=1e-4, atol=1e-5)
    scale = max(float(gradient.abs().max()) for gradient in gradients)
    for parameter, gradient in zip(critic.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=scale * 1e-5)


@pytest.mark.parametrize("activation", ["elu", "prelu", "selu"])
def test_other_activations_train_too(activation: str) -> None:
    torch.manual_seed(0)
    critic = Critic(num_filters=4, activation=activation)
    real, fake = torch.randn(1, 3, 14, 14), torch.randn(1, 3, 14, 14)
    loss = losses.critic_loss(critic, real, fake, torch.tensor(0.4), 0.1)
    torch.testing.assert_close(loss.total, loss.fake - loss.real + loss.penalty)
    loss.total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in critic.head.parameters())


def test_bf16_is_near_float32() -> None:
    critic = leaky_critic()
    real, fake = torch.randn(1, 3, 20, 20), torch.randn(1, 3, 20, 20)
    values = []
    for dtype in (torch.float32, torch.bfloat16):
        critic.dtype = dtype
        critic.zero_grad()
        loss = losses.critic_loss(critic, real, fake, torch.tensor(0.5), 0.1)
        loss.total.backward()
        gradient = torch.cat([p.grad.flatten() for p in critic.parameters()])
        assert gradient.dtype == torch.float32
        values.append((loss.penalty, gradient))
    torch.testing.assert_close(values[0][0], values[1][0], rtol=0.05, atol=0.01)
    assert F.cosine_similarity(values[0][1], values[1][1], dim=0) > 0.995


def test_penalty_is_zero_for_gradients_of_length_one() -> None:
    gradient = torch.randn(1, 3, 6, 7)
    assert losses.gradient_penalty(gradient / gradient.norm(dim=1, keepdim=True)) < 1e-10
    assert losses.gradient_penalty(torch.zeros(1, 3, 6, 7)) == 1


def test_reconstruction_and_amplitude() -> None:
    a, b = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.5)
    assert losses.reconstruction_loss(a, b, 10) == pytest.approx(2.5)
    assert losses.noise_amplitude(a, b, 0.1) == pytest.approx(0.05)
