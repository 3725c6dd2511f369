"""Augmentations keep shape and range, and depend on nothing but their generator."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ConSinGAN.augment import Dice, one_by_one, photometric_and_holes, random_shuffle, shuffle_tiles

Augmentation = Callable[[Tensor, torch.Generator], Tensor]
AUGMENTATIONS = [photometric_and_holes, random_shuffle]
every = pytest.mark.parametrize("augment", AUGMENTATIONS)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def picture(channels: int = 3, height: int = 20, width: int = 31) -> Tensor:
    return torch.rand(1, channels, height, width, generator=seeded(0)) * 2 - 1


@every
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(20, 31), (4, 5), (120, 90)])
def test_shape_and_range_are_kept(
    augment: Augmentation, channels: int, size: tuple[int, int]
) -> None:
    original = picture(channels, *size)
    copy = original.clone()
    for seed in range(60):
        out = augment(original, seeded(seed))
        assert out.shape == original.shape
        assert out.dtype == torch.float32
        assert out.isfinite().all()
        assert out.abs().max() <= 1 + 1e-6
    assert torch.equal(original, copy)


@every
def test_the_generator_decides_everything(augment: Augmentation) -> None:
    for seed in range(40):
        first = augment(picture(), seeded(seed))
        torch.manual_seed(seed)  # the global generator must not matter
        assert torch.equal(first, augment(picture(), seeded(seed)))


@every
def test_results_vary(augment: Augmentation) -> None:
    sums = {round(augment(picture(), seeded(seed)).sum().item(), 3) for seed in range(40)}
    assert len(sums) > 20


@every
def test_batches_are_augmented_one_by_one(augment: Augmentation) -> None:
    generator = seeded(3)
    batch = one_by_one(lambda p: augment(p, generator), picture().expand(4, -1, -1, -1))
    generator = seeded(3)
    expected = torch.cat([augment(picture(), generator) for _ in range(4)])
    assert torch.equal(batch, expected)


def test_colours_change_and_holes_are_cut_as_often_as_described() -> None:
    """A quarter of the copies changes colour, nine tenths have holes of one colour."""
    original, trials = picture(3, 90, 90), 400
    untouched = coloured = 0
    for seed in range(trials):
        same = (photometric_and_holes(original, seeded(seed)) - original).abs() < 1e-5
        untouched += bool(same.all())
        coloured += same.float().mean().item() < 0.3  # holes are at most 60 x 60 of 90 x 90
    assert abs(untouched / trials - 0.75 * 0.1) < 0.04
    assert abs(coloured / trials - 0.25) < 0.08


def test_holes_have_one_colour_and_are_bounded() -> None:
    original, checked = picture(3, 200, 200), 0
    for seed in range(60):
        out = photometric_and_holes(original, seeded(seed))
        changed = ((out - original).abs() > 1e-5).any(dim=1)[0]
        if 0 < changed.float().mean() < 0.3:
            colours = out[0, :, changed].unique(dim=1)
            assert colours.shape[1] == 1
            assert changed.sum() <= 60 * 60
            checked += 1
    assert checked > 30


def test_shuffled_pictures_consist_of_original_pixels() -> None:
    marked = torch.arange(600.0).view(1, 1, 20, 30)
    for seed in range(40):
        out = random_shuffle(marked, seeded(seed))
        assert set(out.unique().tolist()) <= set(range(600))
        moved = (out != marked).sum()
        assert moved < 600 * 0.5 * 0.5 + 60


def test_one_tile_moves_where_it_is_told() -> None:
    marked = torch.arange(400.0).view(1, 1, 20, 20)
    # one tile at (4, 6) of 5 x 4 pixels, shifted by (2, 3), downwards and to the right
    script = iter([1, 4, 6, 5, 4, 2, 3])
    out = shuffle_tiles(marked, lambda _low, _high: next(script), lambda: 0.9)
    assert torch.equal(out[..., 6:11, 9:13], marked[..., 4:9, 6:10])
    out[..., 6:11, 9:13] = marked[..., 6:11, 9:13]
    assert torch.equal(out, marked)


def test_dice_reach_both_ends_and_respect_weights() -> None:
    dice = Dice(seeded(0))
    assert {dice.integer(2, 4) for _ in range(100)} == {2, 3, 4}
    assert {dice.pick([0.0, 1.0, 1.0]) for _ in range(50)} == {1, 2}
    reals = [dice.real(-2, 3) for _ in range(300)]
    assert -2 <= min(reals) < -1.8
    assert 2.8 < max(reals) < 3
    assert dice.integer(5, 5) == 5
