"""Where a drawing lies: the pixels of every stage in picture coordinates, and what is around them.

Picture coordinates go, along each axis, from 0 at a picture's first pixel to 1 at its last one, at
every stage (corners are aligned), or, where a generator says so, from one edge to the other. A
drawing is that picture, a canvas around it, or a period of a plane. Positions are fractions, so
that the operators made from them are the same whatever part of a drawing they are for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

from ConSinGAN.norms import Norms
from ConSinGAN.resize import Interpolation

Size = tuple[int, int]  # (h, w)
Border = Literal["noise", "zeros", "wrap"]


@dataclass(frozen=True)
class Axis:
    """Pixels in a row: `num` of them from number `first` on, of a whole of `total` from `low` on.

    Pixel i lies at `origin + i * step` in picture coordinates. aligned: the picture's pixels; on
    the canvas beyond them steps are `outer`, if that is given. wraps: the whole is a period of a
    plane, a ring.
    """

    total: int
    first: int
    num: int
    origin: Fraction
    step: Fraction
    aligned: int
    low: int = 0
    wraps: bool = False
    outer: Fraction | None = None

    @classmethod
    def around(cls, num: int, before: int = 0, after: int = 0) -> Axis:
        """A picture of `num` pixels, with a canvas of some more before and after it."""
        step, total = Fraction(1, num - 1) if num > 1 else Fraction(0), before + num + after
        return cls(total, -before, total, Fraction(0), step, num, -before)

    @classmethod
    def period(cls, num: int) -> Axis:
        """`num` pixels after which the plane repeats: there pixel `num` would be pixel 0 again."""
        return cls(num, 0, num, Fraction(0), Fraction(1, num), num, wraps=True)

    @classmethod
    def centred(cls, num: int) -> Axis:
        """A picture whose pixels are areas: pixel i has its centre at (i + 1/2) / num."""
        return cls(num, 0, num, Fraction(1, 2 * num), Fraction(1, num), num)

    def widened(self, border: int) -> Axis:
        """The picture's extent in `border` more pixels a side, which thus lie closer together.

        On a canvas they do not: there all is as far from its place as at the picture's edges, not
        farther and farther. A ring has no sides, and stays as it is.
        """
        if self.wraps:
            return self
        total, aligned = self.total + 2 * border, self.aligned + 2 * border
        step = self.step * (self.aligned - 1) / (aligned - 1) if aligned > 1 else Fraction(0)
        outer = self.step if self.total > self.aligned else None
        return replace(
            self, total=total, num=self.num + 2 * border, step=step, aligned=aligned, outer=outer
        )

    def grown(self, border: int) -> Axis:
        """The part with `border` more pixels on each side, where the whole has them.

        Of a ring, what lies beyond its ends has numbers beyond them.
        """
        if self.wraps:
            return self.unrolled(self.first - border, self.num + 2 * border)
        start = max(self.first - border, self.low)
        stop = min(self.first + self.num + border, self.low + self.total)
        return replace(self, first=start, num=stop - start)

    def unrolled(self, first: int, num: int) -> Axis:
        """`num` pixels of a plane of which this is a period; the whole, where that is less."""
        if num >= self.total:
            return self.whole
        return replace(self, first=first, num=num)

    @property
    def whole(self) -> Axis:
        """All of it."""
        return replace(self, first=self.low, num=self.total)

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the whole is left out."""
        return self.num == self.total


@lru_cache(maxsize=1024)
def interpolation(source: Axis, target: Axis, inside: bool = False) -> Interpolation:
    """What computes the target's pixels from the source's; see `Interpolation`."""
    scale = target.step / source.step if source.step else Fraction(0)
    offset = (target.origin - source.origin) / source.step if source.step else Fraction(0)
    outer = target.outer / source.step if source.step and target.outer is not None else None
    return Interpolation(
        source.total, float(scale), target.first, target.num, source.first, source.num,
        float(offset), source.wraps, source.low, inside,
        *(() if outer is None else (float(outer), target.aligned)),
    )  # fmt: skip


def needed(source: Axis, targets: Sequence[Axis]) -> Axis:
    """The part of the source, a whole, that all the targets are computed from."""
    spans = [interpolation(source, target).span() for target in targets]
    first = min(span[0] for span in spans)
    num = max(span[1] for span in spans) - first + 1
    return source.unrolled(first, num) if source.wraps else replace(source, first=first, num=num)


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
    def wraps(self) -> tuple[bool, bool]:
        """Which axes are rings: rows (above follows below), columns (left follows right)."""
        return self.rows.wraps, self.columns.wraps

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

    @property
    def whole(self) -> Place:
        """The place of the whole drawing."""
        return Place(self.rows.whole, self.columns.whole)

    @property
    def period(self) -> tuple[int | None, int | None]:
        """Rows and columns after which the drawing repeats, None where it does not."""
        rows, columns = self.rows, self.columns
        return rows.total if rows.wraps else None, columns.total if columns.wraps else None


class Window(NamedTuple):
    """A rectangle of pixels; top and left are numbers of pixels, 0 being the picture's first."""

    top: int
    left: int
    height: int
    width: int

    @classmethod
    def all(cls, place: Place) -> Window:
        """The pixels of a place."""
        rows, columns = place.rows, place.columns
        return cls(rows.first, columns.first, rows.num, columns.num)

    def moved(self, rows: int, columns: int) -> Window:
        """The same, so many pixels further down and to the right."""
        return self._replace(top=self.top + rows, left=self.left + columns)

    def grown(self, border: int, area: Window) -> Window:
        """With `border` more pixels on each side, where the area has them."""
        top, left = max(self.top - border, area.top), max(self.left - border, area.left)
        bottom = min(self.top + self.height + border, area.top + area.height)
        right = min(self.left + self.width + border, area.left + area.width)
        return Window(top, left, bottom - top, right - left)

    def joined(self, other: Window) -> Window:
        """The smallest one that holds both."""
        top, left = min(self.top, other.top), min(self.left, other.left)
        bottom = max(self.top + self.height, other.top + other.height)
        right = max(self.left + self.width, other.left + other.width)
        return Window(top, left, bottom - top, right - left)

    def common(self, other: Window) -> Window | None:
        """What both have in common."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom = min(self.top + self.height, other.top + other.height)
        right = min(self.left + self.width, other.left + other.width)
        return (
            Window(top, left, bottom - top, right - left) if top < bottom and left < right else None
        )

    def cut(self, there: Window) -> tuple[slice, slice]:
        """Which rows and columns it is of the pixels of a window that holds it."""
        top, left = self.top - there.top, self.left - there.left
        return slice(top, top + self.height), slice(left, left + self.width)

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
    noise, zeros, or its other side (`wrap`); of an axis that is a ring always the other side.
    window: the part of the last stage that is wanted, None for all that is computed there. norms:
    what is known of the whole drawing, if this is a part and what it is drawn with has norms.
    """

    places: tuple[Place, ...]
    border: Border
    window: Window | None = None
    norms: Norms | None = field(default=None, compare=False)

    @classmethod
    def whole(
        cls, sizes: Sequence[Size], border: Border, rings: tuple[bool, bool] = (False, False)
    ) -> Frame:
        """A drawing that has `sizes` (h, w) at its stages; if it wraps, a period of a plane.

        rings: whether rows and columns do, whatever the border of the other axis is.
        """
        rings = (True, True) if border == "wrap" else rings
        return _whole(tuple((int(h), int(w)) for h, w in sizes), border, rings)

    @classmethod
    def centred(cls, sizes: Sequence[Size], border: Border) -> Frame:
        """A drawing that has `sizes` (h, w) at its stages, which share their edges."""
        return _centred(tuple((int(h), int(w)) for h, w in sizes), border)

    @classmethod
    def around(
        cls, sizes: Sequence[Size], margins: Sequence[float | Fraction], border: Border
    ) -> Frame:
        """A picture that has `sizes` at its stages, and a canvas around it.

        margins: how far the canvas reaches above, below, left and right, in heights and widths of
        the picture; rounded up to pixels at every stage.
        """
        above, below, left, right = margins

        def axis(num: int, before: float | Fraction, after: float | Fraction) -> Axis:
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
def _whole(sizes: tuple[Size, ...], border: Border, rings: tuple[bool, bool]) -> Frame:
    rows, columns = (Axis.period if ring else Axis.around for ring in rings)
    return Frame(tuple(Place(rows(h), columns(w)) for h, w in sizes), border)


@lru_cache(maxsize=256)
def _centred(sizes: tuple[Size, ...], border: Border) -> Frame:
    return Frame(tuple(Place(Axis.centred(h), Axis.centred(w)) for h, w in sizes), border)
