"""Objectives: the textbook's formula, the closed form, and what any objective can rely on."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from test_models import leaky_critic, plain_scores
from torch import Tensor

from ConSinGAN.critics.patch import PatchCritic
from ConSinGAN.fast.wgan_gp import ClosedFormWGANGP, quicken
from ConSinGAN.generators.consingan import ConSinGANGenerator
from ConSinGAN.layers import NetworkShape, conv
from ConSinGAN.methods.adversarial import reconstruction_loss
from ConSinGAN.noise import draw_maps
from ConSinGAN.objectives.base import mean
from ConSinGAN.objectives.wgan_gp import WGANGP, gradient_penalty
from ConSinGAN.objectives.wgan_gp_options import Options


def by_double_backward(
    critic: PatchCritic, real: Tensor, fake: Tensor, coefficient: float, weight: float
) -> dict[str, Tensor]:
    mixed = (coefficient * real + (1 - coefficient) * fake).requires_grad_()
    scores = plain_scores(critic, mixed)
    (gradient,) = torch.autograd.grad(scores.sum(), mixed, create_graph=True)
    penalty = weight * ((gradient.norm(dim=1) - 1) ** 2).mean()
    real_score, fake_score = plain_scores(critic, real).mean(), plain_scores(critic, fake).mean()
    return {"real": real_score, "fake": fake_score, "penalty": penalty}


def chance(coefficient: float) -> dict[str, Tensor]:
    return {"coefficient": torch.tensor(coefficient)}


def gradients(critic: PatchCritic) -> list[Tensor]:
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in critic.parameters()]


@pytest.mark.parametrize("quick", [False, True], ids=["textbook", "closed form"])
@pytest.mark.parametrize("coefficient", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("size", [(14, 17), (90, 80)], ids=["as a batch", "one by one"])
@pytest.mark.parametrize("options", [{}, {"padding": 1}], ids=str)
def test_wgan_gp(quick: bool, coefficient: float, size: tuple[int, int], options: dict) -> None:
    critic = leaky_critic(**options)
    real, fake = torch.randn(1, 3, *size), torch.randn(1, 3, *size)
    expected = by_double_backward(critic, real, fake, coefficient, 0.7)
    (expected["fake"] - expected["real"] + expected["penalty"]).backward()
    wanted = gradients(critic)
    critic.zero_grad()
    objective = WGANGP(Options(lambda_grad=0.7))
    objective = quicken(objective, critic) if quick else objective
    assert isinstance(objective, ClosedFormWGANGP) == quick
    terms = objective.critic_step(critic, real, fake, chance(coefficient))
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value.detach(), rtol=1e-4, atol=1e-5)
        assert not terms[name].requires_grad
    scale = max(float(gradient.abs().max()) for gradient in wanted)
    for actual, gradient in zip(gradients(critic), wanted, strict=True):
        torch.testing.assert_close(actual, gradient, rtol=1e-4, atol=scale * 1e-5)


def test_gradients_have_the_layout_of_their_weights() -> None:
    """Adam's fused step goes through memory and looks at no strides."""
    critic = leaky_critic()
    real, fake = torch.randn(1, 3, 20, 20), torch.randn(1, 3, 20, 20)
    quicken(WGANGP(), critic).critic_step(critic, real, fake, chance(0.3))
    for parameter in critic.parameters():
        assert parameter.grad.stride() == parameter.stride()


@pytest.mark.parametrize("size", [(13, 15), (82, 80)])
def test_both_forms_agree_in_float64(size: tuple[int, int]) -> None:
    """From end to end: networks, objective and weight gradients."""
    critic = leaky_critic().double()
    critic.dtype = torch.float64
    real, fake = (torch.randn(1, 3, *size, dtype=torch.float64) for _ in range(2))
    found = []
    for objective in (WGANGP(), quicken(WGANGP(), critic)):
        critic.zero_grad()
        terms = objective.critic_step(critic, real, fake, chance(0.4))
        fooling, gradient = objective.fool(critic, real, fake)
        found.append([*gradients(critic), *terms.values(), *fooling.values(), gradient])
    for textbook, closed in zip(*found, strict=True):
        assert closed.dtype == torch.float64
        torch.testing.assert_close(closed, textbook, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("border", ["noise", "zeros"])
def test_generators_compute_in_float64(border: str) -> None:
    generator = ConSinGANGenerator(NetworkShape(num_filters=3), border=border).double()
    generator.grow()
    generator.dtype = torch.float64
    frame = generator.frame([(8, 9), (12, 14)])
    noise = draw_maps(generator.noise_shapes(frame), torch.Generator(), torch.float64)
    weight = generator.body[1][0].conv.weight

    def pixel_sum(w: Tensor) -> Tensor:
        generator.body[1][0].conv.__dict__["weight"] = w
        return generator(noise, [1.0, 0.5], frame).square().sum()

    del generator.body[1][0].conv._parameters["weight"]
    assert torch.autograd.gradcheck(pixel_sum, weight.detach().requires_grad_())


@pytest.mark.parametrize("slope", [0.05, 1])
@pytest.mark.parametrize("padding", [0, 1])
def test_convolutions_are_differentiable_twice(slope: float, padding: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)

    def layer(*inputs: Tensor) -> Tensor:
        return conv(*inputs, padding, slope)

    assert torch.autograd.gradcheck(layer, (x, weight, bias))
    assert torch.autograd.gradgradcheck(layer, (x, weight, bias))


def test_an_r1_penalty_through_the_critic() -> None:
    """Mescheder et al. 2018: the squared gradient at the real picture, as autograd has it."""
    critic = leaky_critic()
    real = torch.randn(1, 3, 16, 17, requires_grad=True)
    found = []
    for scores in (critic(real), plain_scores(critic, real)):
        critic.zero_grad()
        (gradient,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
        gradient.square().sum().backward()
        found.append(gradients(critic))
    scale = max(float(g.abs().max()) for g in found[1])
    for ours, plain in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("activation", ["elu", "prelu", "selu"])
def test_other_activations_train_too(activation: str) -> None:
    torch.manual_seed(0)
    critic = PatchCritic(NetworkShape(num_filters=4, activation=activation))
    real, fake = torch.randn(1, 3, 14, 14), torch.randn(1, 3, 14, 14)
    objective = quicken(WGANGP(), critic)
    assert type(objective) is WGANGP
    terms = objective.critic_step(critic, real, fake, chance(0.4))
    assert all(value.isfinite() for value in terms.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in critic.head.parameters())


def test_bf16_is_near_float32() -> None:
    critic = leaky_critic()
    real, fake = torch.randn(1, 3, 20, 20), torch.randn(1, 3, 20, 20)
    values = []
    for dtype in (torch.float32, torch.bfloat16):
        critic.dtype = dtype
        critic.zero_grad()
        terms = quicken(WGANGP(), critic).critic_step(critic, real, fake, chance(0.5))
        gradient = torch.cat([g.flatten() for g in gradients(critic)])
        assert gradient.dtype == torch.float32
        values.append((terms["penalty"], gradient))
    torch.testing.assert_close(values[0][0], values[1][0], rtol=0.05, atol=0.01)
    assert F.cosine_similarity(values[0][1], values[1][1], dim=0) > 0.995


def test_the_generator_is_told_where_scores_rise() -> None:
    critic = leaky_critic()
    real, fake = torch.randn(1, 3, 16, 16), torch.randn(1, 3, 16, 16)
    terms, gradient = WGANGP().fool(critic, real, fake)
    assert terms["adversarial"] == -critic(fake).mean()
    assert critic(fake - 0.1 * gradient).mean() > critic(fake).mean()
    assert all(p.grad is None for p in critic.parameters())


def test_maps_count_alike() -> None:
    large, small = torch.ones(2, 1, 10, 10), torch.zeros(2, 1, 2, 2)
    assert mean([large, small]).tolist() == [0.5, 0.5]


def test_penalty_is_zero_for_gradients_of_length_one() -> None:
    gradient = torch.randn(1, 3, 6, 7)
    assert gradient_penalty(gradient / gradient.norm(dim=1, keepdim=True)) < 1e-10
    assert gradient_penalty(torch.zeros(1, 3, 6, 7)) == 1


def test_reconstruction_loss() -> None:
    a, b = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.5)
    assert reconstruction_loss(a, b, 10) == pytest.approx(2.5)
