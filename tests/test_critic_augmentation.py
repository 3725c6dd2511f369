"""What the critic sees is changed, real and drawn pictures alike, and gradients come through."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import TINY, Outcome, make_config, write_hole, write_picture
from test_models import leaky_critic, plain_scores
from test_objectives import gradients
from torch import Tensor

import main_train
from ConSinGAN.config import AUGMENTATIONS
from ConSinGAN.critics.augmentation import KINDS, Augmentation
from ConSinGAN.critics.base import Critic
from ConSinGAN.errors import UsageError
from ConSinGAN.fast.wgan_gp import ClosedFormWGANGP
from ConSinGAN.methods.judging import Judge
from ConSinGAN.noise import RandomStreams
from ConSinGAN.objectives.base import Objective
from ConSinGAN.objectives.wgan_gp import WGANGP
from ConSinGAN.objectives.wgan_gp_options import Options

NEARLY_ONE = 1 - 2**-24


def make_judge(
    critic: Critic, objective: Objective, hole: Tensor | None = None, **options: object
) -> Judge:
    """A judge whose critic does not learn: its gradients can be looked at."""
    state = SimpleNamespace(
        critic=critic, objective=objective, optimizers={}, config=make_config(**options)
    )
    return Judge(state, hole)


def pictures(*size: int, num: int = 2, channels: int = 3) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.rand(1, channels, *size, dtype=torch.float64) * 2 - 1 for _ in range(num)]


def numbers(*values: float) -> dict[str, Tensor]:
    return {"augment_critic": torch.tensor(values, dtype=torch.float64)}


def plain_change(x: Tensor, u: np.ndarray) -> Tensor:
    """All changes, written down again (Zhao et al. 2020, appendix)."""
    x = x + u[0] - 0.5
    grey = x.mean(1, keepdim=True)
    x = grey + 2 * u[1] * (x - grey)
    x = x.mean() + (0.5 + u[2]) * (x - x.mean())
    height, width = x.shape[2:]
    moved = torch.zeros_like(x)
    most = int(height / 8 + 0.5), int(width / 8 + 0.5)
    down, right = (int(u[3 + i] * (2 * most[i] + 1)) - most[i] for i in (0, 1))
    for row in range(height):
        for column in range(width):
            if 0 <= row + down < height and 0 <= column + right < width:
                moved[..., row, column] = x[..., row + down, column + right]
    keep = torch.ones(height, width, dtype=x.dtype)
    sides = int(height / 2 + 0.5), int(width / 2 + 0.5)
    middle = [int(u[5 + i] * (x.shape[2 + i] + 1 - sides[i] % 2)) for i in (0, 1)]
    top, left = (max(m - s // 2, 0) for m, s in zip(middle, sides, strict=True))
    bottom, end = (m - s // 2 + s for m, s in zip(middle, sides, strict=True))
    keep[top:bottom, left:end] = 0
    return moved * keep


@pytest.mark.parametrize("size", [(16, 24), (17, 21)])
@pytest.mark.parametrize("channels", [1, 3])
def test_changes_are_those_of_the_formulas(size: tuple[int, int], channels: int) -> None:
    change = Augmentation(list(AUGMENTATIONS))
    (x,) = pictures(*size, num=1, channels=channels)
    random = np.random.default_rng(0)
    draws = [*random.random((20, 7)), np.zeros(7), np.full(7, NEARLY_ONE)]
    for u in draws:
        torch.testing.assert_close(change(x, numbers(*u)), plain_change(x, u))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_alone_is_differentiable_and_alike_for_all(name: str) -> None:
    assert list(KINDS) == list(AUGMENTATIONS)
    change, u = Augmentation([name]), numbers(0.1, 0.9, 0.3, 0.05, 0.95, 0.4, 0.7)
    a, b = pictures(8, 9)
    both = change(torch.cat([a, b]), u)
    assert not torch.equal(both[:1], a)
    torch.testing.assert_close(both[1:], change(b, u), rtol=1e-12, atol=1e-12)
    a.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: change(x, u), (a,))


def test_the_largest_number_stays_in_the_picture() -> None:
    """In float32 the product of nearly one and a whole number can be that number."""
    change = Augmentation(["translation", "cutout"])
    u = {"augment_critic": torch.full((7,), NEARLY_ONE)}
    for side in (11, 64, 333, 1000):
        x = torch.ones(1, 1, side, 11)
        assert 0 < float(change(x, u).mean()) < 1


class Spy(Objective):
    """Keeps what it is given."""

    name = "spy"

    def critic_step(self, critic: Critic, real: Tensor, fake: Tensor, chance: dict) -> dict:
        self.seen = real, fake
        return {"real": real.mean()}

    def generator_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        self.seen = real, fake
        return (fake**3).sum()


def test_real_and_fake_get_the_same_draw_and_every_step_another() -> None:
    objective = Spy()
    judge = make_judge(leaky_critic(), objective, augment_critic="colour,translation,cutout")
    chance = judge.draw_chance(RandomStreams(0, more=["augment_critic"]))
    assert {name: tuple(v.shape) for name, v in chance.items()} == {"augment_critic": (4, 7)}
    (x,) = pictures(20, 24, num=1)
    x = x.float()
    seen = []
    for step in range(3):
        judge.critic_step(x, x.clone(), chance, step)
        seen.append(objective.seen)
    judge.fool(x, x.clone(), chance)
    seen.append(objective.seen)
    assert all(torch.equal(real, fake) for real, fake in seen)
    assert not any(torch.equal(seen[i][0], seen[j][0]) for i in range(4) for j in range(i))


def test_off_it_draws_nothing_and_changes_nothing() -> None:
    objective = Spy()
    judge = make_judge(leaky_critic(), objective)
    assert judge.draw_chance(RandomStreams(0)) == {}
    real, fake = pictures(20, 24)
    judge.critic_step(real, fake, {}, 0)
    assert objective.seen[0] is real
    assert torch.equal(objective.seen[1], fake)
    terms, gradient = judge.fool(real, fake, {})
    assert torch.equal(gradient, 3 * fake**2)
    assert set(terms) == {"adversarial"}


@pytest.mark.parametrize("names", ["colour", "translation", "cutout", "colour,translation,cutout"])
def test_gradients_come_through_the_changes(names: str) -> None:
    """Those of the closed form of WGAN-GP, critic and generator, against plain autograd."""
    critic = leaky_critic().double()
    critic.dtype = torch.float64
    judge = make_judge(critic, WGANGP(Options(lambda_grad=0.7)), augment_critic=names)
    assert isinstance(judge.parts[0].objective, ClosedFormWGANGP)
    real, fake = pictures(22, 26)
    u = torch.rand(4, 7, dtype=torch.float64)
    chance = {"augment_critic": u, "coefficient": torch.rand(3, dtype=torch.float64)}
    change = Augmentation(names.split(","))
    a, b = (change(x, {"augment_critic": u[1]}) for x in (real, fake))
    share = float(chance["coefficient"][1])
    mixed = (share * a + (1 - share) * b).requires_grad_()
    (slope,) = torch.autograd.grad(plain_scores(critic, mixed).sum(), mixed, create_graph=True)
    penalty = 0.7 * ((slope.norm(dim=1) - 1) ** 2).mean()
    (plain_scores(critic, b).mean() - plain_scores(critic, a).mean() + penalty).backward()
    expected = gradients(critic)
    critic.zero_grad()
    judge.critic_step(real, fake, chance, 1)
    for ours, plain in zip(gradients(critic), expected, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-8, atol=1e-8)
    critic.requires_grad_(False)
    _, gradient = judge.fool(real, fake, chance)
    fake.requires_grad_()
    changed = change(fake, {"augment_critic": u[3]})
    (wanted,) = torch.autograd.grad(-plain_scores(critic, changed).mean(), fake)
    torch.testing.assert_close(gradient, wanted, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("value", ["blur", "colour,blur", "", "colour,colour", "none,colour", ","])
def test_what_it_does_not_know_is_one_line(value: str) -> None:
    with pytest.raises(UsageError, match=r"^augment_critic takes none, or some of colour"):
        make_config(augment_critic=value)


def test_words_come_in_one_order() -> None:
    assert make_config(augment_critic="cutout, colour").augment_critic == "colour,cutout"
    assert make_config().augment_critic == "none"


def test_a_hole_cannot_be_moved(script: object, tmp_path: Path) -> None:
    write_picture(tmp_path / "picture.png")
    write_hole(tmp_path / "picture_mask.png")
    words = [f"--{name}" if value is True else f"--{name}={value}" for name, value in TINY.items()]
    words += ["--train_mode", "inpainting", "--input_name", str(tmp_path / "picture.png")]
    outcome: Outcome = script(
        main_train, *words, "--output_dir", tmp_path / "runs", "--augment_critic", "translation"
    )
    assert outcome.code == 2
    assert "--augment_critic translation" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()
