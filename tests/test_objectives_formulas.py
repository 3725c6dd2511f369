"""Objectives against their formulas in plain autograd, float64 from end to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from test_models import leaky_critic, plain_scores
from test_training import make_iteration, run
from torch import Tensor

from ConSinGAN.critics.autoencoder import AutoencoderCritic
from ConSinGAN.critics.base import Clear, Critic
from ConSinGAN.critics.patch import PatchCritic
from ConSinGAN.layers import NetworkShape
from ConSinGAN.objectives import began_options, hinge_options, r1_options
from ConSinGAN.objectives.base import Objective, over_maps
from ConSinGAN.objectives.began import BEGAN
from ConSinGAN.objectives.hinge import Hinge
from ConSinGAN.objectives.lsgan import LSGAN
from ConSinGAN.objectives.nonsaturating import NonSaturating
from ConSinGAN.objectives.r1 import squared_gradient
from ConSinGAN.objectives.wgan import WGAN
from ConSinGAN.objectives.wgan_gp import WGANGP
from ConSinGAN.objectives.wgan_gp_options import Options
from ConSinGAN.registry import OBJECTIVES

D = Callable[[Tensor], Tensor]  # the critic's scores, or what its autoencoder makes, in plain torch
LAMBDA, GAMMA, R1, SMOOTHING, K = 0.3, 0.6, 5.0, 0.2, 0.4
CHANCE = {"coefficient": 0.3, "smoothing": 0.25}


def plain_autoencoder(critic: AutoencoderCritic, v: Tensor) -> Tensor:
    """D(v) with the first cell in the upper left corner; the sides of v are whole cells."""
    first, second, *few = [part.conv for part in critic.encoder if hasattr(part, "conv")]

    def layer(conv: torch.nn.Conv2d, x: Tensor) -> Tensor:
        return F.conv2d(x, conv.weight, conv.bias, padding=conv.kernel_size[0] // 2)

    x = F.leaky_relu(layer(first, F.pixel_unshuffle(v, 2)), 0.05)
    for conv in (second, *few):
        x = F.leaky_relu(layer(conv, F.pixel_unshuffle(x, 2) if conv is second else x), 0.05)
    x = layer(critic.code, x)
    for conv in [part.conv for part in critic.decoder if hasattr(part, "conv")]:
        x = F.leaky_relu(layer(conv, x), 0.05)
    return F.pixel_shuffle(layer(critic.tail, F.pixel_shuffle(x, 2)), 2)


def autoencoder_error(critic: AutoencoderCritic, v: Tensor) -> Tensor:
    """E abs(v - D(v)) of one picture, mean over the four grids."""
    total = v.new_zeros(())
    height, width = v.shape[2:]
    for top in (0, 2):
        for left in (0, 2):
            below, right = (-(side + 2) % 4 + 2 for side in (height, width))
            room = (left, right - left, top, below - top)
            drawn = plain_autoencoder(critic, F.pad(v, room))
            total = total + (v - drawn[..., top : top + height, left : left + width]).abs().mean()
    return total / 4


def penalty_of_gradient(d: D, v: Tensor, of_norm: D) -> Tensor:
    v = v.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(d(v).sum(), v, create_graph=True)
    return of_norm(gradient.square().sum(1)).mean()


def relu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, torch.zeros_like(x))


def softplus(x: Tensor) -> Tensor:
    return torch.log1p(torch.exp(x))


# name: (objective, what the critic minimises, what the generator does)
FORMULAS: dict[str, tuple[Callable[[], Objective], Callable, Callable]] = {
    "wgan-gp": (
        lambda: WGANGP(Options(lambda_grad=LAMBDA)),
        lambda d, real, fake: d(fake).mean() - d(real).mean()
        + LAMBDA * penalty_of_gradient(d, 0.3 * real + 0.7 * fake, lambda n: (n.sqrt() - 1) ** 2),
        lambda d, fake: -d(fake).mean(),
    ),
    "wgan": (
        lambda: WGAN(),
        lambda d, real, fake: d(fake).mean() - d(real).mean(),
        lambda d, fake: -d(fake).mean(),
    ),
    "lsgan": (
        lambda: LSGAN(),
        lambda d, real, fake: ((d(real) - 1) ** 2).mean() / 2 + (d(fake) ** 2).mean() / 2,
        lambda d, fake: ((d(fake) - 1) ** 2).mean() / 2,
    ),
    "lsgan, r1": (
        lambda: LSGAN(r1_options.Options(r1=R1)),
        lambda d, real, fake: ((d(real) - 1) ** 2).mean() / 2 + (d(fake) ** 2).mean() / 2
        + R1 / 2 * penalty_of_gradient(d, real, lambda n: n),
        lambda d, fake: ((d(fake) - 1) ** 2).mean() / 2,
    ),
    "nonsaturating": (
        lambda: NonSaturating(),
        lambda d, real, fake: softplus(-d(real)).mean() + softplus(d(fake)).mean(),
        lambda d, fake: softplus(-d(fake)).mean(),
    ),
    "nonsaturating, r1": (
        lambda: NonSaturating(r1_options.Options(r1=R1)),
        lambda d, real, fake: softplus(-d(real)).mean() + softplus(d(fake)).mean()
        + R1 / 2 * penalty_of_gradient(d, real, lambda n: n),
        lambda d, fake: softplus(-d(fake)).mean(),
    ),
    "hinge": (
        lambda: Hinge(),
        lambda d, real, fake: relu(1 - d(real)).mean() + relu(1 + d(fake)).mean(),
        lambda d, fake: -d(fake).mean(),
    ),
    "hinge, smooth": (
        lambda: Hinge(hinge_options.Options(label_smoothing=SMOOTHING)),
        lambda d, real, fake: relu(0.95 - d(real)).mean() + relu(0.95 + d(fake)).mean(),
        lambda d, fake: -d(fake).mean(),
    ),
    "hinge, r1": (
        lambda: Hinge(hinge_options.Options(label_smoothing=SMOOTHING, r1=R1)),
        lambda d, real, fake: relu(0.95 - d(real)).mean() + relu(0.95 + d(fake)).mean()
        + R1 / 2 * penalty_of_gradient(d, real, lambda n: n),
        lambda d, fake: -d(fake).mean(),
    ),
    "began": (
        lambda: BEGAN(began_options.Options(began_gamma=GAMMA)),
        lambda error, real, fake: error(real) - K * error(fake),
        lambda error, fake: error(fake),
    ),
}  # fmt: skip

UNPENALISED = {
    "lsgan, r1": "lsgan", "nonsaturating, r1": "nonsaturating", "hinge, r1": "hinge, smooth",
}  # fmt: skip


def test_every_objective_is_here() -> None:
    assert {case.split(",")[0] for case in FORMULAS} == set(OBJECTIVES.names())


def draw(seed: int, *shape: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=random, dtype=torch.float64)


def made(case: str, channels: int = 3) -> tuple[Objective, Critic, D]:
    """The objective with a critic of both wrong and right scores, and that in plain torch."""
    objective = FORMULAS[case][0]().double()
    if "critic" in objective.needs:
        torch.manual_seed(0)
        autoencoder = AutoencoderCritic(NetworkShape(num_filters=6, image_channels=channels))
        autoencoder.double().dtype = torch.float64
        objective.get_buffer("k").fill_(K)
        return objective, autoencoder, lambda v: autoencoder_error(autoencoder, v)
    critic = leaky_critic(image_channels=channels).double()
    critic.dtype = torch.float64
    return objective, critic, lambda v: plain_scores(critic, v)


def chance_for(objective: Objective) -> dict[str, Tensor]:
    return {name: torch.tensor(CHANCE[name], dtype=torch.float64) for name in objective.chance}


def gradients(critic: Critic) -> Iterator[Tensor]:
    for parameter in critic.parameters():
        yield torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()


@pytest.mark.parametrize("channels", [3, 1], ids=["colour", "grey"])
@pytest.mark.parametrize("case", FORMULAS)
def test_gradients_are_those_of_the_formula(case: str, channels: int) -> None:
    objective, critic, d = made(case, channels)
    _, of_critic, of_generator = FORMULAS[case]
    real, fake = draw(1, 1, channels, 15, 18), draw(2, 1, channels, 15, 18)
    of_critic(d, real, fake).backward()
    wanted = list(gradients(critic))
    assert max(float(g.abs().max()) for g in wanted) > 1e-3
    critic.zero_grad()
    terms = objective.critic_step(critic, real, fake, chance_for(objective))
    for actual, gradient in zip(gradients(critic), wanted, strict=True):
        torch.testing.assert_close(actual, gradient, rtol=1e-8, atol=1e-8)
    assert not any(value.requires_grad for value in terms.values())

    judged = fake.clone().requires_grad_()
    loss = of_generator(d, judged)
    loss.backward()
    terms, gradient = objective.fool(critic, real, fake)
    torch.testing.assert_close(gradient, judged.grad, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(terms["adversarial"], loss.detach(), rtol=1e-8, atol=1e-8)


def test_the_hinge_has_scores_on_both_sides() -> None:
    """Otherwise the case above would show little."""
    d = made("hinge")[2]
    for seed, sign in ((1, 1), (2, -1)):
        past = sign * d(draw(seed, 1, 3, 15, 18)) > 1
        assert past.any()
        assert not past.all()


@pytest.mark.parametrize("case", FORMULAS)
def test_what_a_hole_hides_counts_for_nothing(case: str) -> None:
    """Weights of scores and pixels are those of the formula over what is left of the picture."""
    objective, critic, d = made(case)
    real, fake = draw(1, 1, 3, 30, 34), draw(2, 1, 3, 30, 34)
    hole = torch.zeros(1, 1, 30, 34, dtype=torch.bool)
    hole[..., 3:8, 2:9] = True
    found = critic.clear_of(hole)
    clear = Clear([scores.double() for scores in found.scores], found.pixels.double())
    assert objective.leaves_out
    steps = []
    for picture in (real, torch.where(hole, draw(3, 1, 3, 30, 34), real)):
        critic.zero_grad()
        if isinstance(objective, BEGAN):
            objective.k.fill_(K)
        terms = objective.critic_step(critic, picture, fake, chance_for(objective), clear=clear)
        steps.append([*gradients(critic), *terms.values()])
    for first, second in zip(*steps, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-9, atol=1e-12)
    if isinstance(critic, PatchCritic) and case != "wgan-gp":
        where = clear.scores[0] > 0
        _, of_critic, _ = FORMULAS[case]
        if "r1" in case:  # its penalty looks at a copy of the picture: take the rest of the formula
            of_critic = FORMULAS[UNPENALISED[case]][1]
        critic.zero_grad()
        plain = of_critic(lambda v: d(v)[where] if v is real else d(v), real, fake)
        if "r1" in case:
            seen = real.clone().requires_grad_()
            (slope,) = torch.autograd.grad(d(seen)[where].sum(), seen, create_graph=True)
            plain = plain + R1 / 2 * slope.square().sum(1)[clear.pixels[:, 0] > 0].mean()
        plain.backward()
        for actual, wanted in zip(steps[0], gradients(critic), strict=False):
            torch.testing.assert_close(actual, wanted, rtol=1e-8, atol=1e-8)


# Clipping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("clip", [0.01, 0.05])
def test_weights_stay_within_the_bounds_after_every_step(
    clip: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    after_critic = WGAN.after_critic

    def spy(objective: WGAN, critic: Critic) -> None:
        after_critic(objective, critic)
        seen.append(torch.cat([p.detach().flatten().abs() for p in critic.parameters()]))

    monkeypatch.setattr(WGAN, "after_critic", spy)
    run(make_iteration(objective="wgan", clip=clip, lr_d=0.003), 2)
    assert len(seen) == 6
    for weights in seen:
        assert bool((weights <= clip).all())
        assert bool((weights == clip).any())
        assert bool((weights < clip).any())


# R1 -------------------------------------------------------------------------------------------


def test_r1_is_that_of_finite_differences() -> None:
    """Its value from differences of scores, its gradient from differences of its value."""
    torch.manual_seed(0)
    critic = PatchCritic(NetworkShape(num_filters=3, activation="elu", num_layer=2)).double()
    critic.dtype = torch.float64
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.normal_(0, 0.4)
    real, step = draw(1, 1, 3, 10, 11), 1e-5
    squares = 0.0
    with torch.no_grad():
        for index in range(real.numel()):
            scores = []
            for sign in (1, -1):
                moved = real.clone()
                moved.view(-1)[index] += sign * step
                scores.append(critic(moved).sum())
            squares += float((scores[0] - scores[1]) / (2 * step)) ** 2
    value = squared_gradient(critic, real)
    assert float(value.detach()) == pytest.approx(squares / (10 * 11), rel=1e-6)

    value.backward()
    for parameter in critic.parameters():
        entries = parameter.data.view(-1)
        for index in {0, entries.numel() // 2, entries.numel() - 1}:
            values, before = [], float(entries[index])
            for sign in (1, -1):
                entries[index] = before + sign * step
                values.append(float(squared_gradient(critic, real).detach()))
            entries[index] = before
            by_differences = (values[0] - values[1]) / (2 * step)
            gradient = 0.0 if parameter.grad is None else float(parameter.grad.view(-1)[index])
            assert gradient == pytest.approx(by_differences, rel=1e-5, abs=1e-6)


# BEGAN ----------------------------------------------------------------------------------------


class Errors(Critic):
    """Its scores are told."""

    def __init__(self, means: list[tuple[float, float]]) -> None:
        super().__init__()
        self.means = iter(means)
        self.one = torch.nn.Parameter(torch.ones((), dtype=torch.float64))

    @classmethod
    def from_config(cls, config: object) -> Critic:
        raise NotImplementedError

    def forward(self, picture: Tensor) -> Tensor:
        scores = picture.new_tensor(next(self.means)).view(2, 1, 1, 1).expand(2, 1, 4, 5)
        return scores * self.one


def test_k_over_five_steps_by_hand() -> None:
    """k + 0.001 (0.6 L(real) - L(fake)), held in [0, 1]."""
    errors = [(0.5, 0.1), (0.4, 0.04), (0.3, 0.9), (0.2, 0.1), (2000.0, 100.0)]
    by_hand = [0.0002, 0.0004, 0.0, 0.00002, 1.0]
    measures = [0.5 + 0.2, 0.4 + 0.2, 0.3 + 0.72, 0.2 + 0.02, 2000.0 + 1100.0]
    slopes = [0.5, 0.4 - 0.0002 * 0.04, 0.3 - 0.0004 * 0.9, 0.2, 2000 - 0.00002 * 100]
    objective = BEGAN(began_options.Options(began_gamma=0.6)).double()
    critic, buffer = Errors(errors), objective.k
    picture = torch.zeros(1, 3, 4, 5, dtype=torch.float64)
    for k, measure, slope in zip(by_hand, measures, slopes, strict=True):
        critic.zero_grad()
        terms = objective.critic_step(critic, picture, picture, {})
        assert float(objective.k) == pytest.approx(k, abs=1e-12)
        assert float(terms["k"]) == pytest.approx(k, abs=1e-12)
        assert float(terms["convergence"]) == pytest.approx(measure, rel=1e-12)
        assert float(critic.one.grad) == pytest.approx(slope, rel=1e-12)  # with the k before
    assert objective.k is buffer  # changed in place: recorded steps know it by its address


def test_losses_of_single_scores_come_before_their_mean() -> None:
    maps = [torch.tensor([-2.0, 4.0]).view(1, 1, 1, 2), torch.tensor([1.0]).view(1, 1, 1, 1)]
    assert float(over_maps(torch.relu, maps[:1])) == 2
    assert float(over_maps(torch.relu, maps[:1], [torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)])) == 4
    # Of several maps what `mean` makes of their means.
    assert float(over_maps(torch.relu, maps)) == float(
        over_maps(lambda scores: scores, [torch.full((1, 1, 1, 1), 2.0), maps[1]])
    )
