"""The generator grows and freezes as the paper says; the critic's chain is its gradient."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from arithmetic import assert_rounded, summands

from ConSinGAN.critics.patch import PatchCritic
from ConSinGAN.fast.local_critic import LocalCritic
from ConSinGAN.frame import Frame
from ConSinGAN.generators.consingan import ConSinGANGenerator
from ConSinGAN.layers import NetworkShape
from ConSinGAN.noise import draw_maps

SIZES = [(12, 15), (14, 18), (17, 22)]
AMPLITUDES = [1.0, 0.1, 0.2]


def grown(
    num_stages: int, border: str = "noise", batch_norm: bool = False, **options: object
) -> ConSinGANGenerator:
    torch.manual_seed(0)
    generator = ConSinGANGenerator(NetworkShape(num_filters=4, **options), batch_norm, border)
    for _ in range(num_stages - 1):
        generator.grow()
    return generator


def noise_for(generator: ConSinGANGenerator, num: int = 1) -> list[torch.Tensor]:
    shapes = generator.noise_shapes(frame_of(generator), num)
    return draw_maps(shapes, torch.Generator().manual_seed(1))


def frame_of(generator: ConSinGANGenerator) -> Frame:
    return generator.frame(SIZES[: generator.num_stages])


@pytest.mark.parametrize("border", ["noise", "zeros", "wrap"])
@pytest.mark.parametrize(
    "options",
    [{}, {"ker_size": 5}, {"padding": 1}, {"num_layer": 1}, {"batch_norm": True}, {"ker_size": 1}],
    ids=str,
)
@torch.no_grad()
def test_pictures_have_the_stages_size(border: str, options: dict) -> None:
    for num_stages in (1, 2, 3):
        generator = grown(num_stages, border=border, **options)
        out = generator(noise_for(generator, num=2), AMPLITUDES, frame_of(generator))
        assert out.shape == (2, 3, *SIZES[num_stages - 1])
        assert out.abs().max() <= 1
        assert out.dtype == torch.float32


@pytest.mark.parametrize("batch_norm", [False, True])
@torch.no_grad()
def test_a_batch_is_its_single_pictures(batch_norm: bool) -> None:
    generator = grown(3, batch_norm=batch_norm)
    noise = noise_for(generator, num=3)
    together = generator(noise, AMPLITUDES, frame_of(generator))
    for i in range(3):
        alone = generator([z[i : i + 1] for z in noise], AMPLITUDES, frame_of(generator))
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-4, atol=1e-5)


def test_a_new_stage_starts_as_a_copy_of_its_own() -> None:
    generator = grown(2)
    first, second = generator.body[0].state_dict(), generator.body[1].state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    with torch.no_grad():
        generator.body[1][0].conv.weight.add_(1)
    assert not torch.equal(generator.body[0][0].conv.weight, generator.body[1][0].conv.weight)


@torch.no_grad()
def test_features_can_go_on_from_an_earlier_stage() -> None:
    generator = grown(3)
    noise = noise_for(generator)
    prefix = generator.advance(noise[:2], AMPLITUDES, frame_of(generator))
    x = generator.advance(noise, AMPLITUDES, frame_of(generator), 2, prefix)
    assert torch.equal(generator.render(x), generator(noise, AMPLITUDES, frame_of(generator)))


@pytest.mark.parametrize("train_depth", [1, 2, 3, 9])
def test_only_the_last_stages_learn(train_depth: int) -> None:
    generator = grown(3)
    groups = generator.learners(train_depth)
    trained = set(range(3)[-train_depth:])
    for stage, body in enumerate(generator.body):
        assert all(p.requires_grad == (stage in trained) for p in body.parameters())
    assert all(p.requires_grad == (0 in trained) for p in generator.head.parameters())
    in_groups = {id(p) for group in groups for p in group.parameters}
    assert in_groups == {id(p) for p in generator.parameters() if p.requires_grad}


def leaky_critic(**options: object) -> PatchCritic:
    torch.manual_seed(0)
    critic = PatchCritic(NetworkShape(num_filters=5, slope=0.2, **options))
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.normal_(0, 0.3)
    return critic


def plain_scores(critic: PatchCritic, x: torch.Tensor) -> torch.Tensor:
    """The critic in plain torch, differentiable as often as one likes."""
    for block in critic.blocks():
        x = F.leaky_relu(
            F.conv2d(x, block.conv.weight, block.conv.bias, padding=critic.padding), 0.2
        )
    return F.conv2d(x, critic.tail.weight, critic.tail.bias, padding=critic.padding)


@pytest.mark.parametrize(
    "options", [{}, {"padding": 1}, {"num_layer": 1}, {"ker_size": 5}], ids=str
)
def test_input_gradient_is_autograds(options: dict) -> None:
    critic = leaky_critic(**options)
    image = torch.randn(2, 3, 24, 26)
    local = LocalCritic(critic, image)
    gradient = local.input_gradient(local.pull_back(torch.ones_like(local.scores)))
    actual = critic(image)
    image = image.double().requires_grad_()
    scores = plain_scores(critic.double(), image)
    terms = summands(critic)
    assert_rounded(actual, scores.detach(), terms)
    (expected,) = torch.autograd.grad(scores.sum(), image)
    assert_rounded(gradient, expected, terms)


def test_local_critic_is_the_derivative_in_every_direction() -> None:
    """push_forward along v and the gradient's inner product with v are the same number."""
    critic = leaky_critic()
    image, direction = torch.randn(1, 3, 13, 14), torch.randn(1, 3, 13, 14)
    local = LocalCritic(critic, image)
    grads = local.pull_back(torch.ones_like(local.scores))
    along = (local.input_gradient(grads) * direction).sum()
    local.push_forward(direction)
    moved = F.conv2d(local.inputs[-1], critic.tail.weight)
    torch.testing.assert_close(moved.sum(), along, rtol=1e-4, atol=1e-4)
