"""The noise maps of a picture that is drawn: all of it, or any part, by address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ConSinGAN.frame import Axis, Frame, Place, Window
from ConSinGAN.generators.base import Generator
from ConSinGAN.modes.base import Mode
from ConSinGAN.noise import DrawingStreams, Field, Purpose
from ConSinGAN.resize import resize

Latents = Callable[[Frame], Sequence[Tensor]]  # the noise maps of a frame, which may be a part


@dataclass
class RandomLatents:
    """The noise maps of one random picture, for every frame of one drawing and its parts.

    They depend on the numbers alone, pixel by pixel, not on what else is drawn.
    coarsest: the real picture of stage 0. given: what enters stage 0, (1, C, h, w) of the whole
    drawing's size there, if that is a picture; of a part it is cut. anchor: the reconstruction's
    maps, which stages below `start` keep; native: the frame that they are for. At another size
    the anchor's small picture is resized, and noise below `start` is the same in all pictures.
    """

    generator: Generator
    mode: Mode
    coarsest: Tensor
    streams: Callable[[], DrawingStreams]
    given: Tensor | None = None
    anchor: Sequence[Tensor] = ()
    native: Frame | None = None
    start: int = 0
    _inputs: dict[Place, Tensor] = field(default_factory=dict)  # of the last whole drawing

    def __call__(self, frame: Frame) -> list[Tensor]:
        """The noise maps of the frame's stages."""
        streams = self.streams()
        maps = [self._first(frame, streams)]
        for stage in range(1, frame.num_stages):
            if stage >= self.start:
                maps.append(noise_of(self.generator, streams.noise, frame, stage))
            elif self._is_native(frame, stage):
                maps.append(self._kept(frame, stage))
            else:
                drawn = noise_of(self.generator, self._common, frame, stage)
                maps.append(self.generator.fixed_noise(drawn))
        return maps

    @property
    def _common(self) -> Field:
        return Field([Purpose.ANCHOR], self.generator.device)

    def _first(self, frame: Frame, streams: DrawingStreams) -> Tensor:
        if self.given is None and not self.start and self.mode.draws_noise():
            return noise_of(self.generator, streams.noise, frame, 0)
        whole = frame.places[0].whole
        if whole not in self._inputs:
            self._inputs.clear()
            self._inputs[whole] = self._whole_input(frame, whole, streams)
        return cut(self._inputs[whole], frame.places[0])

    def _whole_input(self, frame: Frame, whole: Place, streams: DrawingStreams) -> Tensor:
        if self.given is not None:
            return self.given
        if not self.start:
            streams.noise.corner = (whole.rows.low, whole.columns.low)
            return self.mode.draw_input(_resized(self.coarsest, whole), streams)
        if self._is_native(frame, 0):
            return self.anchor[0]
        if self.mode.hides or torch.equal(self.anchor[0], self.coarsest):
            return _resized(self.anchor[0], whole)
        return noise_of(self.generator, self._common, Frame((whole,), frame.border), 0)

    def _is_native(self, frame: Frame, stage: int) -> bool:
        """Whether the drawing is as large as the anchor's."""
        native = self.native
        if native is None or native.border != frame.border:
            return False
        return frame.places[stage].whole == native.places[stage]

    def _kept(self, frame: Frame, stage: int) -> Tensor:
        assert self.native is not None
        first = self.generator.noise_window(stage, self.native)
        wanted = self.generator.noise_window(stage, frame)
        return _slice(self.anchor[stage], wanted.top - first.top, wanted.left - first.left,
                      wanted.height, wanted.width)  # fmt: skip


def noise_of(generator: Generator, field: Field, frame: Frame, stage: int) -> Tensor:
    """A stage's noise, by address: (1, C, h, w). Of a drawing that wraps, it repeats."""
    window, period = generator.noise_window(stage, frame), frame.places[stage].period
    dtype = generator.dtype if stage else torch.float32
    channels = generator.noise_channels(stage)
    return field.maps(stage, channels, window, dtype, period=period)


def cut(picture: Tensor, place: Place) -> Tensor:
    """The part of a whole drawing's map (1, C, h, w) that a place is; it may wrap."""
    if place.is_whole:
        return picture
    rows, columns = (_numbers(axis, picture.device) for axis in (place.rows, place.columns))
    return picture[..., rows[:, None], columns]


def put(maps: Tensor, there: Window, known: Tensor, own: Window) -> Tensor:
    """The maps of a window `there`, but what is known of another, in its place: (1, C, h, w)."""
    both = there.common(own)
    if both is None:
        return maps
    rows, columns = both.cut(there)
    known_rows, known_columns = both.cut(own)
    maps = maps.clone()
    maps[..., rows, columns] = known[..., known_rows, known_columns].to(maps)
    return maps


def _numbers(axis: Axis, device: torch.device) -> Tensor:
    first = axis.first - axis.low
    return torch.arange(first, first + axis.num, device=device) % axis.total


def _slice(maps: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """A window of a map, whose numbers go around."""
    rows, columns = (torch.arange(first, first + num, device=maps.device) % there
                     for first, num, there in ((top, height, maps.shape[2]),
                                               (left, width, maps.shape[3])))  # fmt: skip
    return maps[..., rows[:, None], columns]


def _resized(picture: Tensor, whole: Place) -> Tensor:
    same = tuple(picture.shape[-2:]) == whole.whole_size
    return picture if same else resize(picture, size=whole.whole_size)
