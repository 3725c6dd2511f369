"""Drawings of any size in constant memory: windows of them, one after the other.

A window is computed with as much around it as decides its pixels, so that the tiles are the whole
drawing, within rounding. Nothing that grows with the drawing is kept but, where a picture enters,
the stage-0 input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ConSinGAN import console, hardware, images
from ConSinGAN.errors import UsageError
from ConSinGAN.frame import Frame, Size, Window
from ConSinGAN.generators.base import Generator
from ConSinGAN.latents import Latents
from ConSinGAN.norms import Moments, Norms
from ConSinGAN.pyramid import size_of
from ConSinGAN.resize import Resizing

SMALLEST = 16  # pixels a side of a tile: smaller ones are drawn for the sake of their margins
USUAL = 256  # likewise, where nothing is said
TIDY = 8  # tiles after which memory is tidied; their sizes differ by pixels, so that it falls apart
NUM, SIDE = 4, 64  # windows a side that stand for a large picture, and pixels a side of each
SHARE = 2  # a drawing that needs more than this part of the memory is drawn in tiles


@dataclass
class TiledPicture:
    """A picture that is drawn as it is read: a frame of a `Drawing`, in the place of a tensor.

    area: its pixels. paint: draws a window inside, (1, C, h, w) in [-1, 1]. prepare: is called
    before the first, and does nothing from the second time on. name: in lines of progress.

    What is changed of it is such a picture again; so what changes a whole drawing, which is one
    window, is the same code.
    """

    area: Window
    tile: int
    paint: Callable[[Window], Tensor]
    prepare: Callable[[], None] = lambda: None
    name: str = "picture"

    @classmethod
    def of(cls, picture: Tensor, area: Window | None = None) -> TiledPicture:
        """A picture (1, C, h, w) that is there already, in one window."""
        height, width = size_of(picture)
        there = area or Window(0, 0, height, width)

        def paint(window: Window) -> Tensor:
            rows, columns = window.cut(there)
            return picture[..., rows, columns]

        return cls(there, max(height, width), paint)

    @property
    def size(self) -> Size:
        """(h, w)."""
        return self.area.height, self.area.width

    def then(self, change: Callable[[Window, Tensor], Tensor]) -> TiledPicture:
        """The picture with every window changed in turn: (its place, its pixels) to its pixels."""
        return self.near(0, lambda window, there, pixels: change(window, pixels))

    def near(self, reach: int, change: Callable[[Window, Window, Tensor], Tensor]) -> TiledPicture:
        """The picture with every window changed by what is up to `reach` pixels around it.

        change: (a window, as much around it, the pixels of that) to the window's pixels.
        """

        def paint(window: Window) -> Tensor:
            there = window.grown(reach, self.area)
            return change(window, there, self.paint(there))

        return replace(self, paint=paint)

    def reduced(self, size: Size) -> TiledPicture:
        """A copy that is reduced to `size` (h, w), whose corner is pixel (0, 0)."""
        down = Resizing(self.size, size)

        def paint(window: Window) -> Tensor:
            there = Window(*down.needs(window))
            return down.part(self.paint(there.moved(self.area.top, self.area.left)), there, window)

        tile = max(self.tile * max(size) // max(self.size), 1)
        return replace(self, area=Window(0, 0, *size), tile=tile, paint=paint)

    def changed_coarsely(
        self, size: Size, reach: int, change: Callable[[Window, Tensor], Tensor],
        scales: tuple[float, float] | None = None,
    ) -> TiledPicture:  # fmt: skip
        """The picture, moved by what a copy of it that is reduced to `size` (h, w) is moved by.

        change: (a window of the copy, counted from its corner, its pixels) to what is added to
        them. reach: how far around it, in pixels of the copy, a pixel's surroundings decide that.
        scales: of the copy, as in `Resizing`.
        """
        down, up = Resizing(self.size, size, scales), Resizing(size, self.size)
        everything = Window(0, 0, *size)

        def paint(window: Window) -> Tensor:
            wanted = window.moved(-self.area.top, -self.area.left)
            coarse = Window(*up.needs(wanted)).grown(reach, everything)
            there = Window(*down.needs(coarse)).joined(wanted)
            pixels = self.paint(there.moved(self.area.top, self.area.left))
            added = change(coarse, down.part(pixels, there, coarse))
            rows, columns = wanted.cut(there)
            added = up.part(added, coarse, wanted, clamp=False)
            return (pixels[..., rows, columns] + added).clamp(-1, 1)

        return replace(self, paint=paint)

    def after(self, preparation: Callable[[], object]) -> TiledPicture:
        """The same; `preparation` is called before it is drawn, and may read what this is."""
        prepare = self.prepare

        def both() -> None:
            prepare()
            preparation()

        return replace(self, prepare=both)

    def at_hand(self) -> TiledPicture:
        """The same; if it is one window, drawn now, so that it can be read more than once."""
        return self if self.tile < max(self.size) else TiledPicture.of(self.tensor(), self.area)

    def tiles(self) -> Iterator[tuple[Window, Tensor]]:
        """All windows and their pixels, row by row of tiles."""
        self.prepare()
        places = list(windows(self.area, self.tile))
        for window in _watched(places, self.name):
            yield window, self.paint(window)

    def bands(self) -> Iterator[np.ndarray]:
        """All pixels from top to bottom, a row of tiles at a time: uint8 (rows, w, 3)."""
        band = np.empty((0, self.area.width, 3), np.uint8)
        for window, pixels in self.tiles():
            if window.left == self.area.left:
                band = np.empty((window.height, self.area.width, 3), np.uint8)
            left = window.left - self.area.left
            band[:, left : left + window.width] = images.to_bytes(pixels)[0]
            if left + window.width == self.area.width:
                yield band

    def tensor(self) -> Tensor:
        """The whole picture, (1, C, h, w): it needs the memory that tiles save."""
        whole: Tensor | None = None
        for window, pixels in self.tiles():
            if window == self.area:
                return pixels
            if whole is None:
                whole = pixels.new_empty((*pixels.shape[:2], *self.size))
            top, left = window.top - self.area.top, window.left - self.area.left
            whole[..., top : top + window.height, left : left + window.width] = pixels
        assert whole is not None
        return whole

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The whole picture, uint8 (h, w, 3)."""
        return np.concatenate(list(self.bands())).astype(dtype or np.uint8, copy=False)


def windows(area: Window, tile: int) -> Iterator[Window]:
    """An area in windows of at most `tile` pixels a side, row by row."""
    for top in range(area.top, area.top + area.height, tile):
        height = min(tile, area.top + area.height - top)
        for left in range(area.left, area.left + area.width, tile):
            yield Window(top, left, height, min(tile, area.left + area.width - left))


def probes(area: Window) -> list[Window]:
    """Windows that stand for a picture: all of it or, of a long side, NUM of SIDE pixels."""
    axes = []
    for first, total in ((area.top, area.height), (area.left, area.width)):
        if total > NUM * SIDE:
            starts = [first + round(i * (total - SIDE) / (NUM - 1)) for i in range(NUM)]
            axes.append([(start, SIDE) for start in starts])
        else:
            axes.append([(first, total)])
    rows, columns = axes
    return [Window(top, left, height, width) for top, height in rows for left, width in columns]


def _watched(places: Sequence[Window], what: str) -> Iterator[Window]:
    """The windows, with progress; memory that is free, but in pieces, is given back in between."""
    for number, window in enumerate(console.progress(places, what, len(places), "tile"), start=1):
        yield window
        if number % TIDY == 0:
            hardware.return_memory()


def check_fits(
    generator: Generator, size: Size, flag: str = "`size`", wanted: Size | None = None
) -> None:
    """Raise UsageError if drawing (h, w) whole takes more memory than there is.

    flag: what is to be blamed for the size. wanted: the size of what is asked for, if another.
    """
    if too_large := hardware.why_too_large(generator.drawing_memory(size), generator.device):
        height, width = wanted or size
        raise UsageError(f"{flag}: a picture of {width}x{height} pixels needs {too_large}")


def choose_tile(
    generator: Generator, frame: Frame, wanted: int | None, flag: str = "`size`"
) -> int:
    """How many pixels a side the tiles of a drawing get; 0: it is drawn whole.

    wanted: the value of `tile`; None lets the memory decide. flag: what is to be blamed for the
    size. Raises UsageError if a drawing that shall be whole does not fit the memory.
    """
    drawn = frame.places[-1].size
    if generator.why_whole:
        if wanted:
            raise UsageError(f"`tile` {wanted}: {generator.why_whole}")
        wanted = 0
    if wanted == 0:
        check_fits(generator, drawn, flag, frame.size)
        return 0
    if wanted is not None:
        if wanted < SMALLEST:
            raise UsageError(f"`tile` must be 0 (never) or at least {SMALLEST}, not {wanted}")
        return wanted
    memory = hardware.memory(generator.device) / SHARE
    if generator.drawing_memory(drawn) <= memory:
        return 0
    tile = USUAL
    while tile > SMALLEST and generator.drawing_memory((2 * tile, 2 * tile)) > memory:
        tile //= 2
    return tile


def draw_tiled(
    generator: Generator, amplitudes: Sequence[float], latents: Latents, frame: Frame, tile: int,
    window: Window | None = None, name: str = "picture",
) -> TiledPicture:  # fmt: skip
    """A drawing in tiles of so many pixels a side; nothing is drawn before it is read.

    frame: of the whole drawing. latents: gives the noise maps of a part of it, or of a part of its
    first stages: those of `frame.num_stages`. window: what is wanted, None for all of the frame's.
    """
    norms = Norms()

    @cache
    def prepare() -> None:
        norms.known.clear()  # if it was interrupted
        for statistics in _passes(generator, amplitudes, latents, frame, tile, norms, name):
            norms.known.append(statistics)

    @torch.no_grad()
    def paint(window: Window) -> Tensor:
        part = generator.part(replace(frame, norms=norms), window)
        return generator(latents(part), amplitudes, part)

    area = window or frame.window or Window.all(frame.places[-1])
    area.of(frame.places[-1])  # raises ValueError if it is not inside
    return TiledPicture(area, tile, paint, prepare, name)


@torch.no_grad()
def _passes(
    generator: Generator, amplitudes: Sequence[float], latents: Latents, frame: Frame, tile: int,
    norms: Norms, name: str,
) -> Iterator[tuple[Tensor, Tensor]]:  # fmt: skip
    """The statistics of all norms, one pass over the norm's stage after the other."""
    for index in range(generator.num_norms):
        stage = generator.norm_stage(index)
        below = replace(frame, places=frame.places[: stage + 1], norms=norms)
        places = list(windows(Window.all(below.places[-1]), tile))
        moments = Moments()
        what = f"{name}: norm {index + 1} of {generator.num_norms}"
        for window in _watched(places, what):
            part = generator.part(below, window)
            moments.add(generator.norm_input(latents(part), amplitudes, part))
        yield moments.statistics(generator.device)
