"""BEGAN's critic: what it sees, how little it may remember, and that it learns patches."""

from __future__ import annotations

import pytest
import torch
from conftest import paint
from torch import Tensor

from ConSinGAN.critics.autoencoder import AutoencoderCritic
from ConSinGAN.layers import NetworkShape
from ConSinGAN.objectives.began import BEGAN


def make(dtype: torch.dtype = torch.float64, **options: object) -> AutoencoderCritic:
    torch.manual_seed(0)
    critic = AutoencoderCritic(NetworkShape(**{"num_filters": 8, **options})).to(dtype)
    critic.dtype = dtype
    return critic


@pytest.mark.parametrize("size", [(16, 20), (17, 23), (5, 6), (30, 11)])
@pytest.mark.parametrize("options", [{}, {"image_channels": 1}, {"ker_size": 5}], ids=str)
def test_it_draws_a_picture_of_the_same_size(size: tuple[int, int], options: dict) -> None:
    critic = make(**options)
    picture = torch.rand(2, options.get("image_channels", 3), *size, dtype=torch.float64)
    for top, left in ((0, 0), (2, 0), (2, 2)):
        assert critic.rebuild(picture, top, left).shape == picture.shape
    scores = critic(picture)
    assert scores.shape == (2, 1, *size)
    single = torch.cat([critic(one) for one in picture.split(1)])
    torch.testing.assert_close(scores, single)


@pytest.mark.parametrize("activation", ["lrelu", "elu", "prelu"])
@pytest.mark.parametrize("num_layer", [1, 3])
def test_scores_are_what_it_gets_wrong(activation: str, num_layer: int) -> None:
    critic, v = make(activation=activation, num_layer=num_layer), torch.rand(1, 3, 14, 18).double()
    drawn = [critic.rebuild(v, top, left) for top in (0, 2) for left in (0, 2)]
    wrong = torch.stack([(v - one).abs().mean() for one in drawn]).mean()
    torch.testing.assert_close(critic(v).mean(), wrong)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_code_is_an_eighth_of_what_it_stands_for(channels: int) -> None:
    critic, codes = make(image_channels=channels), []
    critic.decoder.register_forward_pre_hook(lambda _, inputs: codes.append(inputs[0]))
    critic.rebuild(torch.rand(1, channels, 22, 34, dtype=torch.float64))
    assert codes[0].shape[2:] == (6, 9)  # one for every 4x4 pixels
    assert codes[0].shape[1] * 8 <= 4 * 4 * channels


def seen_by(picture: Tensor, value: Tensor) -> tuple[int, int]:
    """Rows and columns that a value depends on, from the first to the last."""
    (gradient,) = torch.autograd.grad(value, picture)
    where = gradient.abs().sum((0, 1)).nonzero()
    rows, columns = (where.max(0).values - where.min(0).values + 1).tolist()
    return rows, columns


def test_it_sees_about_as_much_as_the_patch_critic() -> None:
    critic = make()
    picture = torch.rand(1, 3, 40, 44, dtype=torch.float64, requires_grad=True)
    for row in range(18, 22):
        assert seen_by(picture, critic.rebuild(picture)[0, :, row, 20].sum()) == (12, 12)
        assert max(seen_by(picture, critic(picture)[0, 0, row, 20])) <= 14


def test_where_its_grid_lies_does_not_matter_by_two_pixels() -> None:
    """Away from the borders, a picture that is moved has the same scores, moved."""
    critic, picture = make(), torch.rand(1, 3, 40, 44, dtype=torch.float64)
    scores, moved = critic(picture), critic(picture[..., 2:, 2:])
    torch.testing.assert_close(scores[..., 12:30, 12:30], moved[..., 10:28, 10:28])


@pytest.mark.parametrize("options", [{}, {"ker_size": 5}, {"ker_size": 1}], ids=str)
def test_clear_scores_see_nothing_of_the_hole(options: dict) -> None:
    critic = make(**options)
    hole = torch.zeros(1, 1, 40, 44, dtype=torch.bool)
    hole[..., 13:19, 10:15] = True
    picture = torch.rand(1, 3, 40, 44, dtype=torch.float64)
    changed = torch.where(hole, torch.rand(1, 3, 40, 44, dtype=torch.float64), picture)
    clear = critic.clear_of(hole)
    with torch.no_grad():
        differs = critic(picture) != critic(changed)
    assert not (differs & (clear.scores[0] > 0)).any()
    assert differs.any()
    assert not clear.is_empty
    picture.requires_grad_()
    (critic(picture) * clear.scores[0]).sum().backward()
    assert not ((picture.grad.abs().sum(1, keepdim=True) > 0) & (clear.pixels == 0)).any()
    assert not (hole & (clear.pixels > 0)).any()
    assert critic.clear_of(torch.ones_like(hole)).is_empty


def test_it_learns_the_pictures_patches_and_not_the_identity() -> None:
    picture = (torch.from_numpy(paint(32, 48)).movedim(-1, 0)[None] / 127.5 - 1).float()
    noise = torch.rand(picture.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    critic = make(torch.float32, num_filters=16)
    optimizer = torch.optim.Adam(critic.parameters(), lr=0.003)
    objective = BEGAN()
    first = float(critic(picture).detach().mean())
    for _ in range(60):
        optimizer.zero_grad()
        terms = objective.critic_step(critic, picture, picture, {})
        optimizer.step()
    assert float(terms["real"]) < first / 3
    assert float(critic(noise).detach().mean()) > 2 * float(terms["real"])
