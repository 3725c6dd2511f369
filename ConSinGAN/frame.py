"""Where a drawing lies: the pixels of every stage in picture coordinates, and what is around them.

Picture coordinates go, along each axis, from 0 at a picture's first pixel to 1 at its last one, at
every stage (corners are aligned), or, where a generator says so, from one edge to the other. A
drawing is that picture, a canvas around it, or a period of a plane. Positions are fractions, so
that the operators made from them are the same whatever part of a drawing they are for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

from ConSinGAN.resize import Interpolation

Size = tuple[int, int]  # (h, w)
Border = Literal["noise", "zeros", "wrap"]


@dataclass(frozen=True)
class Axis:
    """Pixels in a row: `num` of them from number `first` on, of a whole of `total` from `low` on.

    Pixel i lies at `origin + i * step` in picture coordinates. aligned: the picture's pixels.
    """

    total: int
    first: int
    num: int
    origin: Fraction
    step: Fraction
    aligned: int
    low: int = 0

    @classmethod
    def around(cls, num: int, before: int = 0, after: int = 0) -> Axis:
        """A picture of `num` pixels, with a canvas of some more before and after it."""
        step, total = Fraction(1, num - 1) if num > 1 else Fraction(0), before + num + after
        return cls(total, -before, total, Fraction(0), step, num, -before)

    @classmethod
    def period(cls, num: int) -> Axis:
        """`num` pixels after which the plane repeats: there pixel `num` would be pixel 0 again."""
        return cls(num, 0, num, Fraction(0), Fraction(1, num), num)

    @classmethod
    def centred(cls, num: int) -> Axis:
        """A picture whose pixels are areas: pixel i has its centre at (i + 1/2) / num."""
        return cls(num, 0, num, Fraction(1, 2 * num), Fraction(1, num), num)

    def widened(self, border: int) -> Axis:
        """The picture's extent in `border` more pixels a side, which thus lie closer together."""
        total, aligned = self.total + 2 * border, self.aligned + 2 * border
        step = self.step * (self.aligned - 1) / (aligned - 1) if aligned > 1 else Fraction(0)
        return replace(self, total=total, num=self.num + 2 * border, step=step, aligned=aligned)

    def grown(self, border: int) -> Axis:
        """The part with `border` more pixels on each side, where the whole has them."""
        start = max(self.first - border, self.low)
        stop = min(self.first + self.num + border, self.low + self.total)
        return replace(self, first=start, num=stop - start)

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the whole is left out."""
        return self.num == self.total


@lru_cache(maxsize=1024)
def interpolation(source: Axis, target: Axis, wrap: bool = False) -> Interpolation:
    """What computes the target's pixels from the source's."""
    scale = target.step / source.step if source.step else Fraction(0)
    offset = (target.origin - source.origin) / source.step if source.step else Fraction(0)
    return Interpolation(
        source.total, float(scale), target.first, target.num, source.first, source.num,
        float(offset), wrap, source.low,
    )  # fmt: skip


def needed(source: Axis, targets: Sequence[Axis]) -> Axis:
    """The part of the source that all the targets are computed from."""
    taps = [interpolation(source, target).taps()[0] for target in targets]
    first = min(int(t.min()) for t in taps)
    return replace(source, first=first, num=max(int(t.max()) for t in taps) - first + 1)


@dataclass(frozen=True)
class Place:
    """The pixels of one stage: rows and columns."""

    rows: Axis
    columns: Axis

    @property
    def size(self) -> Size:
        """(h, w) of the part that is drawn."""
        return self.rows.num, self.columns.num

    @property
    def whole_size(self) -> Size:
        """(h, w) of the whole drawing."""
        return self.rows.total, self.columns.total

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the drawing is left out."""
        return self.rows.is_whole and self.columns.is_whole

    def widened(self, border: int) -> Place:
        """As `Axis.widened`, both axes."""
        return Place(self.rows.widened(border), self.columns.widened(border))

    def grown(self, border: int) -> Place:
        """As `Axis.grown`, both axes."""
        return Place(self.rows.grown(border), self.columns.grown(border))


class Window(NamedTuple):
    """A rectangle of pixels; top and left are numbers of pixels, 0 being the picture's first."""

    top: int
    left: int
    height: int
    width: int

    def of(self, place: Place) -> Place:
        """This part of a whole. Raises ValueError if it is not inside."""
        parts = []
        for axis, first, num in (
            (place.rows, self.top, self.height),
            (place.columns, self.left, self.width),
        ):
            if not axis.low <= first < first + num <= axis.low + axis.total:
                height, width = place.whole_size
                raise ValueError(f"{tuple(self)} is not inside the picture of {height}x{width}")
            parts.append(replace(axis, first=first, num=num))
        return Place(*parts)


@dataclass(frozen=True)
class Frame:
    """The geometry of one drawing.

    places: what is computed at every stage. border: what convolutions see around the drawing:
    noise, zeros, or its other side (`wrap`). window: the part of the last stage that is wanted,
    None for all that is computed there.
    """

    places: tuple[Place, ...]
    border: Border
    window: Window | None = None

    @classmethod
    def whole(cls, sizes: Sequence[Size], border: Border) -> Frame:
        """A drawing that has `sizes` (h, w) at its stages; if it wraps, a period of a plane."""
        return _whole(tuple((int(h), int(w)) for h, w in sizes), border)

    @classmethod
    def centred(cls, sizes: Sequence[Size], border: Border) -> Frame:
        """A drawing that has `sizes` (h, w) at its stages, which share their edges."""
        return _centred(tuple((int(h), int(w)) for h, w in sizes), border)

    @classmethod
    def around(
        cls, sizes: Sequence[Size], margins: tuple[float, float, float, float], border: Border
    ) -> Frame:
        """A picture that has `sizes` at its stages, and a canvas around it.

        margins: how far the canvas reaches above, below, left and right, in heights and widths of
        the picture; rounded up to pixels at every stage.
        """
        above, below, left, right = margins

        def axis(num: int, before: float, after: float) -> Axis:
            return Axis.around(num, math.ceil(num * before), math.ceil(num * after))

        places = (Place(axis(h, above, below), axis(w, left, right)) for h, w in sizes)
        return cls(tuple(places), border)

    @property
    def num_stages(self) -> int:
        """The number of stages."""
        return len(self.places)

    @cached_property
    def size(self) -> Size:
        """(h, w) of the picture that comes out."""
        return (self.window.height, self.window.width) if self.window else self.places[-1].size


@lru_cache(maxsize=256)
def _whole(sizes: tuple[Size, ...], border: Border) -> Frame:
    axis = Axis.period if border == "wrap" else Axis.around
    return Frame(tuple(Place(axis(h), axis(w)) for h, w in sizes), border)


@lru_cache(maxsize=256)
def _centred(sizes: tuple[Size, ...], border: Border) -> Frame:
    return Frame(tuple(Place(Axis.centred(h), Axis.centred(w)) for h, w in sizes), border)
