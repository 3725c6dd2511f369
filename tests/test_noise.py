"""Noise maps and the random streams."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ConSinGAN.noise import NoiseShape, RandomStreams, draw

NAMES = RandomStreams.NAMES


def numbers(streams: RandomStreams, name: str, num: int = 8) -> Tensor:
    return torch.rand(num, generator=getattr(streams, name))


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


@pytest.mark.parametrize("border", [0, 3])
def test_shapes_of_all_stages(border: int) -> None:
    """Stage 0 has the picture's channels and size; later stages have filters and a border."""
    shape = NoiseShape(image_channels=3, num_filters=5, border=border)
    sizes = [(4, 6), (8, 12), (10, 15)]
    maps = shape.draw(sizes, torch.Generator().manual_seed(0), num=2)
    expected = [(2, 3, 4, 6), *((2, 5, h + 2 * border, w + 2 * border) for h, w in sizes[1:])]
    assert [tuple(m.shape) for m in maps] == expected
    assert [shape.at(i, size, 2) for i, size in enumerate(sizes)] == expected


def test_drawing_may_start_at_a_later_stage() -> None:
    shape = NoiseShape(3, 5, 1)
    maps = shape.draw([(4, 6), (8, 12), (10, 15)], torch.Generator(), first=1)
    assert [tuple(m.shape) for m in maps] == [(1, 5, 10, 14), (1, 5, 12, 17)]
