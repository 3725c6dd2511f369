"""The multiscale critic: its scales, its losses, feature matching."""

from __future__ import annotations

import logging

import pytest
import torch
import torch.nn.functional as F
from conftest import make_config
from test_critic_augmentation import make_judge, pictures
from test_inpainting import a_hole
from test_models import plain_scores
from test_objectives import gradients
from test_training import make_iteration, run
from torch import Tensor

from ConSinGAN.critics.multiscale import MultiscaleCritic
from ConSinGAN.critics.multiscale_options import Options
from ConSinGAN.fast.wgan_gp import ClosedFormWGANGP
from ConSinGAN.layers import NetworkShape
from ConSinGAN.methods.judging import clear_of_hole
from ConSinGAN.objectives.wgan_gp import WGANGP
from ConSinGAN.objectives.wgan_gp_options import Options as Weight


def make(scales: int = 3, matching: float = 0.0, **shape: object) -> MultiscaleCritic:
    """With weights so large that all scales matter, float64."""
    torch.manual_seed(0)
    options = Options(critic_scales=scales, feature_matching=matching)
    critic = MultiscaleCritic(NetworkShape(num_filters=4, slope=0.2, **shape), options).double()
    for part in critic.parts:
        part.dtype = torch.float64
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.normal_(0, 0.3)
    return critic


def halves(x: Tensor) -> list[Tensor]:
    """A picture, its half, its quarter; by hand."""
    found = [x]
    for _ in range(2):
        x = x[..., : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2]
        x = (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4
        found.append(x)
    return found


@pytest.mark.parametrize(
    ("size", "number"),
    [((11, 40), 1), ((33, 90), 1), ((34, 34), 2), ((67, 90), 2), ((68, 71), 3), ((500, 400), 3)],
)
def test_as_many_scales_as_are_worth_it(size: tuple[int, int], number: int) -> None:
    (x,) = pictures(*size, num=1)
    views = make().views(x)
    assert len(views) == number
    for ours, plain in zip(views, halves(x), strict=False):
        torch.testing.assert_close(ours, plain)
    assert min(views[-1].shape[2:]) >= 11


def test_weights_are_their_own() -> None:
    critic = make()
    tensors = [part.tail.weight for part in critic.parts]
    assert not any(torch.equal(tensors[i], tensors[j]) for i in range(3) for j in range(i))
    sizes = [sum(p.numel() for p in part.parameters()) for part in critic.parts]
    assert sum(sizes) == sum(p.numel() for p in critic.parameters())


def test_losses_are_summed_over_the_scales() -> None:
    """Each in closed form, each with the penalty of its own gradient; against plain autograd."""
    critic = make()
    judge = make_judge(critic, WGANGP(Weight(lambda_grad=0.7)))
    assert all(isinstance(part.objective, ClosedFormWGANGP) for part in judge.parts)
    real, fake = pictures(69, 76)
    share = torch.tensor([0.3], dtype=torch.float64)
    total = {name: torch.zeros((), dtype=torch.float64) for name in ("real", "fake", "penalty")}
    for part, a, b in zip(critic.parts, halves(real), halves(fake), strict=True):
        mixed = (share * a + (1 - share) * b).requires_grad_()
        (slope,) = torch.autograd.grad(plain_scores(part, mixed).sum(), mixed, create_graph=True)
        total["penalty"] = total["penalty"] + 0.7 * ((slope.norm(dim=1) - 1) ** 2).mean()
        total["real"] = total["real"] + plain_scores(part, a).mean()
        total["fake"] = total["fake"] + plain_scores(part, b).mean()
    (total["fake"] - total["real"] + total["penalty"]).backward()
    expected = gradients(critic)
    critic.zero_grad()
    terms = judge.critic_step(real, fake, {"coefficient": share}, 0)
    for name, value in total.items():
        torch.testing.assert_close(terms[name], value.detach())
    for ours, plain in zip(gradients(critic), expected, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-8, atol=1e-8)
    terms, gradient = judge.fool(real, fake, {})
    fake.requires_grad_()
    means = [plain_scores(p, x).mean() for p, x in zip(critic.parts, halves(fake), strict=True)]
    torch.testing.assert_close(terms["adversarial"], -sum(means).detach())
    (wanted,) = torch.autograd.grad(-sum(means), fake)
    torch.testing.assert_close(gradient, wanted, rtol=1e-8, atol=1e-10)


def test_the_textbook_form_gives_the_same_sum() -> None:
    critic = make(activation="elu")
    judge = make_judge(critic, WGANGP(Weight(lambda_grad=0.7)))
    assert not any(isinstance(part.objective, ClosedFormWGANGP) for part in judge.parts)
    real, fake = pictures(69, 76)
    share = torch.tensor([0.3], dtype=torch.float64)
    terms = judge.critic_step(real, fake, {"coefficient": share}, 0)
    alone = []
    for part, a, b in zip(critic.parts, halves(real), halves(fake), strict=True):
        ours, objective = gradients(part), WGANGP(Weight(lambda_grad=0.7))
        part.zero_grad()
        alone.append(objective.critic_step(part, a, b, {"coefficient": share[0]}))
        for gradient, plain in zip(ours, gradients(part), strict=True):
            torch.testing.assert_close(gradient, plain, rtol=1e-8, atol=1e-8)
    for name, value in terms.items():
        torch.testing.assert_close(value, sum(one[name] for one in alone))


def test_feature_matching_by_hand() -> None:
    critic = make(matching=10.0)
    reconstruction, real = pictures(69, 76)
    reconstruction.requires_grad_()
    means = []
    for part, a, b in zip(critic.parts, halves(reconstruction), halves(real), strict=True):
        for block in part.blocks():
            a, b = (
                F.leaky_relu(F.conv2d(x, block.conv.weight, block.conv.bias), 0.2) for x in (a, b)
            )
            means.append((a - b).abs().mean())
    assert len(means) == 3 * 4
    expected = 10 * sum(means) / 12
    (wanted,) = torch.autograd.grad(expected, reconstruction)
    critic.requires_grad_(False)
    judge = make_judge(critic, WGANGP())
    loss = judge.reconstruction_loss(reconstruction, real, {})
    torch.testing.assert_close(loss.double(), expected.detach(), rtol=1e-6, atol=0)
    (gradient,) = torch.autograd.grad(loss, reconstruction)
    torch.testing.assert_close(gradient, wanted, rtol=1e-8, atol=1e-10)
    assert make().reconstruction_loss(reconstruction, real) is None


def test_matched_features_leave_a_hole_out() -> None:
    critic, hole = make(matching=1.0), a_hole(69, 76, 5, 9, 40, 52)
    critic.requires_grad_(False)
    judge = make_judge(critic, WGANGP(), hole)
    reconstruction, real = pictures(69, 76)
    reconstruction.requires_grad_()
    loss = judge.reconstruction_loss(reconstruction, real, {})
    (gradient,) = torch.autograd.grad(loss, reconstruction)
    assert not gradient[hole.expand_as(gradient)].any()
    assert gradient[~hole.expand_as(gradient)].all()


def test_an_iteration_matches_features() -> None:
    """The generator's gradient has their part, and the critic has none of it."""
    found = []
    for weight in (0.0, 3.0):
        iteration = make_iteration(critic="multiscale", feature_matching=weight, critic_scales=2)
        terms = run(iteration)
        found.append((terms, iteration))
    (plain, one), (matched, other) = found
    assert set(matched) - set(plain) == {"matching"}
    assert matched["matching"] > 0
    for a, b in zip(one.critic.parameters(), other.critic.parameters(), strict=True):
        assert torch.equal(a, b)
    weights = [iteration.model.generator.tail[0].weight for iteration in (one, other)]
    assert not torch.equal(*weights)


def test_every_scale_sees_as_much_of_a_hole_as_its_view_has() -> None:
    critic, hole = make(), a_hole(70, 76, 30, 37, 30, 36)
    judge = make_judge(critic, WGANGP(), hole)
    clears = clear_of_hole(WGANGP(), critic, hole)
    for clear, part, view in zip(clears, critic.parts, halves(hole.double()), strict=True):
        alone = part.clear_of(view > 0)
        assert torch.equal(clear.scores[0], alone.scores[0])
        assert torch.equal(clear.pixels, alone.pixels)
    assert judge.counting == [True, True, False]  # a quarter's patches nearly all see it
    real, fake = pictures(70, 76)
    share = torch.tensor([0.3], dtype=torch.float64)
    terms = judge.critic_step(real, fake, {"coefficient": share}, 0)
    assert all(p.grad is None for p in critic.parts[2].parameters())
    assert all(p.grad is not None for p in critic.parts[1].head.parameters())
    changed = torch.where(hole, 5 * torch.randn_like(real), real)
    again = judge.critic_step(changed, fake, {"coefficient": share}, 0)
    assert torch.equal(terms["real"], again["real"])


def test_a_stage_says_what_it_leaves_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    make_iteration(critic="multiscale", critic_scales=2, num_layer=1)
    lines = [r.getMessage() for r in caplog.records if "scales" in r.getMessage()]
    assert lines == [f"stage {n}: at {w}x{h} pixels 1 of the 2 scales of the critic are large "
                     "enough" for n, w, h in [(1, 15, 12), (2, 20, 16), (3, 25, 20)]]  # fmt: skip
    caplog.clear()
    make_iteration(critic="multiscale", critic_scales=1)
    assert not [r for r in caplog.records if "scales" in r.getMessage()]


def test_its_work_is_that_of_its_scales() -> None:
    config = make_config(critic="multiscale", critic_scales=2)
    assert MultiscaleCritic.work(config) == 1.25
    matching = make_config(critic="multiscale", critic_scales=2, feature_matching=1.0)
    assert MultiscaleCritic.work(matching) > 1.25
    memory = [MultiscaleCritic.more_memory(c, (50, 50)) for c in (config, matching)]
    assert 0 < memory[0] < memory[1]
