"""Noise maps, and where all randomness comes from.

Training draws its numbers one after the other from seeded streams. Drawing takes them from fields,
where every block of pixels has an address, so that a picture is the same alone, among others and
in parts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np
import torch
from torch import Tensor

CHUNK = 2**18  # numbers drawn at a time, so that the bits stay in the cache


class RandomStreams:
    """Independent seeded generators, so that using one never shifts the numbers of another.

    noise: the noise maps, on the device. coefficient: the gradient penalty's interpolation, on the
    device. augmentation: decisions of augmentations, on the processor.
    """

    NAMES = ("noise", "coefficient", "augmentation")

    def __init__(
        self, seed: int | Sequence[int], device: torch.device | str = "cpu",
        more: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """more: names of further streams, on the device; they change nothing in those before."""
        names = (*self.NAMES, *(name for name in more if name not in self.NAMES))
        words = np.random.SeedSequence(seed).generate_state(len(names), np.uint64)
        self.generators = {
            name: torch.Generator("cpu" if name == "augmentation" else device)
            .manual_seed(int(word) >> 1)
            for name, word in zip(names, words, strict=True)
        }  # fmt: skip

    @property
    def noise(self) -> torch.Generator:
        """Of the noise maps."""
        return self.generators["noise"]

    @property
    def augmentation(self) -> torch.Generator:
        """Of the augmentations' decisions."""
        return self.generators["augmentation"]

    def state_dict(self) -> dict[str, Tensor]:
        """The state of every generator, uint8 tensors."""
        return {name: generator.get_state() for name, generator in self.generators.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue where `state_dict` was taken."""
        for name, generator in self.generators.items():
            generator.set_state(state[name])


@cache
def _quantiles(dtype: torch.dtype) -> Tensor:
    """The normal distribution in 2^16 equally likely values, sorted, of variance 1."""
    values = torch.special.ndtri((torch.arange(2**16, dtype=torch.float64) + 0.5) / 2**16)
    return (values / values.std(correction=0)).to(dtype)


def _draw_on_processor(num: int, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    """`num` normal numbers, each a quantile picked by 16 random bits; at most 4.3 in size.

    Twice as fast as torch.randn, which spends a random word and a logarithm on every number.
    """
    numbers = torch.empty(num, dtype=dtype)
    for part in numbers.split(CHUNK):
        words = torch.empty(-(-len(part) // 4), dtype=torch.int64)
        words.random_(torch.iinfo(torch.int64).min, None, generator=generator)
        _look_up(words, part)
    return numbers


def _look_up(words: Tensor, numbers: Tensor) -> None:
    """Fill `numbers`, contiguous, with the quantiles that the words' bits pick, 16 bits each."""
    if not numbers.numel():
        return  # of no channels, say
    index = words.view(torch.uint16).int()[: numbers.numel()]
    torch.index_select(_quantiles(numbers.dtype), 0, index, out=numbers.view(-1))


Period = tuple[int | None, int | None]  # rows and columns after which something repeats


class Field:
    """Standard normal numbers for one picture, found by stage and pixel; the same on all devices.

    Blocks of pixels are counters of Philox (Salmon et al. 2011, "Parallel random numbers: as easy
    as 1, 2, 3"), seed and picture its key; so each can be had alone and in any order.
    """

    BLOCK = 32  # pixels a side

    def __init__(self, address: Sequence[int], device: torch.device | str = "cpu") -> None:
        """address: tells this field from all others; numbers from 0 on."""
        self.key = np.random.SeedSequence(address).generate_state(2, np.uint64)
        self.device = torch.device(device)
        self.corner = (0, 0)  # of stage-0 maps
        self.draws = 0

    def maps(
        self, stage: int, channels: int, window: tuple[int, int, int, int],
        dtype: torch.dtype = torch.float32, draw: int = 0, period: Period = (None, None),
    ) -> Tensor:  # fmt: skip
        """The noise of a window (top, left, height, width): (1, C, height, width), channels last.

        draw: tells several maps of one stage apart. period: rows and columns after which the noise
        repeats, from pixel 0 on, None for none; the window may lie anywhere.
        """
        top, left, height, width = window
        if period != (None, None):
            bands = []
            for y, h in _pieces(top, height, period[0]):
                parts = [self.maps(stage, channels, (y, x, h, w), dtype, draw)
                         for x, w in _pieces(left, width, period[1])]  # fmt: skip
                bands.append(torch.cat(parts, dim=3))
            return torch.cat(bands, dim=2)
        maps = torch.empty((height, width, channels), dtype=dtype)
        for y in range(top // self.BLOCK, (top + height - 1) // self.BLOCK + 1):
            first = max(y * self.BLOCK, top)  # row of those that are wanted of these blocks
            last = min((y + 1) * self.BLOCK, top + height)
            for x in range(left // self.BLOCK, (left + width - 1) // self.BLOCK + 1):
                rows = range(first - y * self.BLOCK, last - y * self.BLOCK)
                block = self._block((y, x), rows, stage, draw, channels, dtype)
                column = x * self.BLOCK - left  # of the window, where the block begins
                part = maps[first - top : last - top, max(column, 0) : column + self.BLOCK]
                skipped = max(-column, 0)
                part.copy_(block[:, skipped : skipped + part.shape[1]])
        return maps.permute(2, 0, 1)[None].to(self.device)

    def _block(
        self, at: tuple[int, int], rows: range, stage: int, draw: int, channels: int,
        dtype: torch.dtype,
    ) -> Tensor:  # fmt: skip
        """Some rows of a block, (rows, BLOCK, C)."""
        block = torch.empty((len(rows), self.BLOCK, channels), dtype=dtype)
        y, x = (number % 2**64 for number in at)  # there are blocks left of and above the picture
        # The lowest word counts on within the block; each count gives 4 words of 4 numbers.
        begun = rows.start * self.BLOCK * channels // 16
        counter = np.array([begun, x, y, stage << 32 | draw], dtype=np.uint64)
        words = np.random.Philox(counter=counter, key=self.key).random_raw(-(-block.numel() // 4))
        _look_up(torch.from_numpy(words.view(np.int64)), block)
        return block

    def next(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """The next stage-0 map, of shape (1, C, H, W); others come with other calls."""
        self.draws += 1
        _, channels, height, width = shape
        return self.maps(0, channels, (*self.corner, height, width), dtype, self.draws - 1)


class Blend(Field):
    """Noise near that of another field: the same statistics, and as far away as is wished."""

    def __init__(self, start: Field, other: Field, distance: float) -> None:
        """distance: 0 gives `start`, 1 `other`; between them along the sphere, which keeps the
        variance (Shoemake 1985, "Animating rotation with quaternion curves": slerp)."""
        self.start, self.other = start, other
        self.shares = math.cos(distance * math.pi / 2), math.sin(distance * math.pi / 2)
        self.device, self.corner, self.draws = start.device, start.corner, 0

    def maps(
        self, stage: int, channels: int, window: tuple[int, int, int, int],
        dtype: torch.dtype = torch.float32, draw: int = 0, period: Period = (None, None),
    ) -> Tensor:  # fmt: skip
        start, other = (
            field.maps(stage, channels, window, dtype, draw, period).float()
            for field in (self.start, self.other)
        )
        return (self.shares[0] * start + self.shares[1] * other).to(dtype)


def _pieces(first: int, num: int, period: int | None) -> list[tuple[int, int]]:
    """`num` places from `first` on around a ring, in runs: where each begins, and its length."""
    if period is None:
        return [(first, num)]
    pieces = []
    while num > 0:
        start = first % period
        length = min(num, period - start)
        pieces.append((start, length))
        first, num = first + length, num - length
    return pieces


class Purpose(IntEnum):
    """What a picture is drawn for; the first number of its address."""

    SAMPLE = 1
    FRAME = 2  # of an animation
    COMPOSITE = 3
    EXTENSION = 4
    TEXTURE = 5
    NEIGHBOUR = 6  # of a sample; see `Near`
    ANCHOR = 9  # what stays the same in all pictures of a size that has no anchor


@dataclass(frozen=True)
class Near:
    """What random pictures resemble: sample path[0], its neighbour path[1], that one's, ...

    distance: of each step, see `Blend`.
    """

    path: tuple[int, ...]
    distance: float


class DrawingStreams:
    """The randomness of one picture that is drawn, in the place of `RandomStreams`.

    noise: a field. augmentation: a generator of the picture's own.
    """

    @classmethod
    def near(
        cls, near: Near, seed: int | Sequence[int], number: int,
        device: torch.device | str = "cpu",
    ) -> DrawingStreams:  # fmt: skip
        """Of neighbour `number` of a sample, or of a neighbour of one."""
        streams = cls(Purpose.SAMPLE, seed, near.path[0], device)
        words = [seed] if isinstance(seed, int) else list(seed)
        steps = (*near.path, number)
        for length in range(2, len(steps) + 1):
            # The number of steps goes first: one neighbour's address is no beginning of another's.
            address = (length, *steps[: length - 1], *words)
            other = cls(Purpose.NEIGHBOUR, address, steps[length - 1], device)
            streams.noise = Blend(streams.noise, other.noise, near.distance)
        return streams

    def __init__(
        self, purpose: Purpose, seed: int | Sequence[int], number: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:  # fmt: skip
        """number: of the picture, or of the frame."""
        address = (purpose, number, *([seed] if isinstance(seed, int) else seed))
        self.noise = Field(address, device)
        word = np.random.SeedSequence((0, *address)).generate_state(1, np.uint64)[0]
        self.augmentation = torch.Generator().manual_seed(int(word) >> 1)


Streams = RandomStreams | DrawingStreams


def draw(
    shape: Sequence[int], source: torch.Generator | Field, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Standard normal noise of shape (N, C, H, W), channels last, on the source's device.

    From a field it is the next stage-0 map of one picture.
    """
    if isinstance(source, Field):
        return source.next(shape, dtype)
    n, c, h, w = shape
    if source.device.type == "cpu":
        maps = _draw_on_processor(n * c * h * w, source, dtype).view(n, h, w, c)
    else:
        maps = torch.randn((n, h, w, c), generator=source, device=source.device, dtype=dtype)
    return maps.permute(0, 3, 1, 2)


def draw_maps(
    shapes: Sequence[Sequence[int]], source: torch.Generator, dtype: torch.dtype = torch.float32
) -> list[Tensor]:
    """`draw` of every shape, one after the other."""
    return [draw(shape, source, dtype) for shape in shapes]
