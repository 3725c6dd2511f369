"""Noise maps and the random streams."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ConSinGAN.noise import DrawingStreams, Field, Purpose, RandomStreams, draw

NAMES = RandomStreams.NAMES


def numbers(streams: RandomStreams, name: str, num: int = 8) -> Tensor:
    return torch.rand(num, generator=streams.generators[name])


@pytest.mark.parametrize("seed", [0, 7, 2**63 - 1, [3, 1, 4]])
def test_equal_seeds_give_equal_numbers(seed: int | list[int]) -> None:
    for name in NAMES:
        assert torch.equal(numbers(RandomStreams(seed), name), numbers(RandomStreams(seed), name))


def test_seeds_and_streams_differ_from_each_other() -> None:
    seeds: list[int | list[int]] = [0, 1, 2, [0, 1], [1, 1]]
    firsts = [numbers(RandomStreams(s), name, 1).item() for s in seeds for name in NAMES]
    assert len(set(firsts)) == len(firsts)


@pytest.mark.parametrize("used", NAMES)
def test_using_one_stream_does_not_shift_the_others(used: str) -> None:
    fresh, streams = RandomStreams(5), RandomStreams(5)
    numbers(streams, used, 1000)
    torch.rand(3)  # nor does torch's global generator matter
    for name in NAMES:
        same = torch.equal(numbers(streams, name), numbers(fresh, name))
        assert same == (name != used)


def test_state_continues_where_it_was_taken() -> None:
    streams = RandomStreams(5)
    for name in NAMES:
        numbers(streams, name, 3)
    state = streams.state_dict()
    expected = {name: numbers(streams, name) for name in NAMES}
    other = RandomStreams(6)
    other.load_state_dict(state)
    for name in NAMES:
        assert torch.equal(numbers(other, name), expected[name])


def test_noise_is_standard_normal() -> None:
    maps = draw((4, 8, 50, 60), torch.Generator().manual_seed(0))
    assert maps.shape == (4, 8, 50, 60)
    assert abs(maps.mean()) < 0.02
    assert abs(maps.std() - 1) < 0.02
    assert abs(maps.pow(4).mean() - 3) < 0.1
    assert maps.is_contiguous(memory_format=torch.channels_last)


# Fields ---------------------------------------------------------------------------------------


def test_a_field_is_standard_normal_and_without_repetition() -> None:
    maps = Field([1]).maps(2, 8, (-20, 7, 150, 160))
    assert maps.shape == (1, 8, 150, 160)
    assert maps.is_contiguous(memory_format=torch.channels_last)
    assert abs(maps.mean()) < 0.01
    assert abs(maps.std() - 1) < 0.01
    blocks = [maps[..., y : y + 32, x : x + 32] for y in (20, 52, 84) for x in (25, 57, 89)]
    alike = torch.corrcoef(torch.stack([block.flatten() for block in blocks])) - torch.eye(9)
    assert alike.abs().max() < 0.05


@pytest.mark.parametrize(
    "window", [(0, 0, 1, 1), (-40, -33, 70, 5), (31, 32, 2, 64), (-3, 10, 40, 33)]
)
def test_a_part_of_a_field_is_what_it_is_in_the_whole(window: tuple[int, int, int, int]) -> None:
    field = Field([3, 2**40])
    top, left, height, width = window
    whole = field.maps(1, 3, (-50, -50, 150, 150))
    there = whole[..., top + 50 : top + 50 + height, left + 50 : left + 50 + width]
    assert torch.equal(field.maps(1, 3, window), there)


def test_addresses_stages_and_draws_differ() -> None:
    window = (0, 0, 4, 4)
    maps = [Field(address).maps(0, 3, window) for address in ([1], [2], [1, 1], [1, 0, 1])]
    maps += [Field([1]).maps(stage, 3, window) for stage in (1, 2)]
    field = Field([5])
    maps += [draw((1, 3, 4, 4), field) for _ in range(3)]
    assert len({round(one.sum().item(), 4) for one in maps}) == len(maps)
    assert torch.equal(maps[-3], Field([5]).maps(0, 3, window))


def test_a_pictures_streams_are_its_own() -> None:
    streams = [DrawingStreams(p, 7, n) for p in Purpose for n in (0, 1)]
    streams += [DrawingStreams(Purpose.SAMPLE, seed) for seed in (8, [7, 1])]
    for name in ("noise", "augmentation"):
        firsts = [
            draw((1, 1, 1, 1), getattr(s, name)).item() if name == "noise"
            else torch.rand(1, generator=s.augmentation).item()
            for s in streams
        ]  # fmt: skip
        assert len(set(firsts)) == len(firsts)
