"""Animations that end where they began."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from test_model import make_model
from torch import Tensor

from ConSinGAN.model import ImageModel, begin_at_usual_step, closed_walk, random_walk

ALPHA = 0.1


def fixed_maps() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, 3, 20, 20, generator=generator) for _ in range(3)]


def draws(num: int) -> Iterator[list[Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return ([torch.randn(1, 3, 20, 20, generator=generator) for _ in range(3)] for _ in range(num))


@pytest.mark.parametrize("num", [1, 2, 3, 10, 100])
@pytest.mark.parametrize(("alpha", "beta"), [(0.1, 0.8), (0.1, 0.95), (0.02, 0.5), (1, 0.9)])
def test_the_frame_after_the_last_is_the_first(alpha: float, beta: float, num: int) -> None:
    fixed = fixed_maps()
    frames = list(closed_walk(fixed, lambda: draws(num), alpha, beta, 0))
    assert len(frames) == num
    now, before = frames[-1], frames[num - 2 if num > 1 else -1]
    for f, y, z, n, first in zip(fixed, before, now, next(draws(1)), frames[0], strict=True):
        again = alpha * f + (1 - alpha) * (z + beta * (z - y) + (1 - beta) * n)
        torch.testing.assert_close(again, first, rtol=0, atol=2e-4)


def test_closed_walk_holds_early_stages_still() -> None:
    fixed = fixed_maps()
    for noise in closed_walk(fixed, lambda: draws(6), ALPHA, 0.9, 2):
        assert torch.equal(noise[0], fixed[0])
        assert torch.equal(noise[1], fixed[1])
        assert not torch.equal(noise[2], fixed[2])


@pytest.mark.parametrize("beta", [0.8, 0.95])
def test_closed_walk_strays_and_steps_as_far_as_an_open_one(beta: float) -> None:
    fixed = fixed_maps()

    def habits(walk: Iterator[list[Tensor]], skip: int) -> tuple[float, float]:
        paths = torch.stack([noise[0] - fixed[0] for noise in walk])[skip:]
        return paths.std().item(), paths.diff(dim=0).std().item()

    closed = habits(closed_walk(fixed, lambda: draws(150), ALPHA, beta, 0), 0)
    opened = habits(random_walk(fixed, draws(301), ALPHA, beta, 0), 150)
    assert closed == pytest.approx(opened, rel=0.05)


def test_closed_walk_needs_a_pull() -> None:
    with pytest.raises(ValueError, match="alpha"):
        next(closed_walk(fixed_maps(), lambda: draws(3), 0.0, 0.9, 0))


def lively_model() -> ImageModel:
    """A model whose frames differ by many levels."""
    model = make_model("animation")
    for parameter in model.generator.parameters():
        parameter.data *= 3
    return model


def steps_of(frames: list[np.ndarray]) -> np.ndarray:
    """Mean change of levels from each frame to the next, that from the last to the first last."""
    turned = [*frames[1:], frames[0]]
    return np.array([np.abs(b.astype(int) - a).mean() for a, b in zip(frames, turned, strict=True)])


@pytest.mark.parametrize("num", [2, 3, 12, 40])
@pytest.mark.parametrize("beta", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("start", [0, 1])
def test_a_looped_animation_closes_like_any_other_step(start: int, beta: float, num: int) -> None:
    model = lively_model()
    for seed in range(3):
        steps = steps_of(list(model.animate(num, start, ALPHA, beta, seed, loop=True)))
        assert len(steps) == num
        assert steps.min() > 0.1
        assert steps[-1] <= 1.0001 * steps[:-1].mean()
        if num >= 12:
            assert steps.max() < 2.5 * steps.min()
            opened = steps_of(list(model.animate(num, start, ALPHA, beta, seed)))
            assert opened[-1] > 1.5 * opened[:-1].mean()
            assert steps.mean() == pytest.approx(opened[:-1].mean(), rel=0.3)


def test_looped_animation_repeats_with_the_seed() -> None:
    model = make_model("animation")
    first, again, other = (list(model.animate(5, seed=seed, loop=True)) for seed in (0, 0, 1))
    assert {(frame.shape, frame.dtype.name) for frame in first} == {((24, 36, 3), "uint8")}
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_looped_animation_in_half_precision() -> None:
    model = lively_model()
    model.set_precision(torch.bfloat16)
    steps = steps_of(list(model.animate(12, loop=True)))
    assert steps[-1] <= 1.0001 * steps[:-1].mean()


def test_a_round_begins_after_a_usual_step() -> None:
    frames = [np.full((2, 2, 3), level, np.uint8) for level in (250, 10, 20, 100, 180)]
    assert [frame[0, 0, 0] for frame in begin_at_usual_step(frames)] == [100, 180, 250, 10, 20]
    assert len(begin_at_usual_step(frames[:1])) == 1
    still = [frames[0]] * 4
    assert len(begin_at_usual_step(still)) == 4
    assert begin_at_usual_step([]) == []
