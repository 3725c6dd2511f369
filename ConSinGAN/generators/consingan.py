"""The growing generator of ConSinGAN, which passes on feature maps (paper section 3)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ConSinGAN.fast.weight_gradient import at_least_float
from ConSinGAN.frame import Border, Frame, Place, Size, Window, interpolation, needed
from ConSinGAN.generators.base import Generator, Group
from ConSinGAN.layers import NetworkShape, conv, init_weights
from ConSinGAN.norms import Reached
from ConSinGAN.resize import interpolate

if TYPE_CHECKING:
    from ConSinGAN.config import TrainConfig

DRAWN_MAPS = 6  # of the finest stage, alive at the same time while a picture is drawn


class ConSinGANGenerator(Generator):
    """head -> body[0] -> ... -> body[n] -> tail, one body per stage.

    Every stage upsamples the *feature map* of the one before, adds noise and refines it
    residually. Pictures are (N, image_channels, h, w) in [-1, 1].

    border: "noise" upsamples onto a border that the convolutions then consume (generation,
    animation), "zeros" pads (retarget, harmonization, editing), "wrap" goes on at the other side.
    """

    name = "consingan"
    summary = "passes feature maps on from stage to stage"

    def __init__(
        self, shape: NetworkShape | None = None, batch_norm: bool = False, border: Border = "noise"
    ) -> None:
        super().__init__()
        shape = shape or NetworkShape()
        self.head = shape.block(shape.image_channels, batch_norm)
        self.body = nn.ModuleList([shape.body(batch_norm)])
        self.tail = nn.Sequential(
            nn.Conv2d(shape.num_filters, shape.image_channels, shape.ker_size)
        )
        self.channels = (shape.image_channels, shape.num_filters)
        self.tail_padding = shape.ker_size // 2
        self.padding = shape.padding
        self.pad = self.tail_padding - shape.padding  # what one convolution eats from each side
        self.eaten = self.pad * shape.num_layer  # what one stage eats
        self.reach = self.tail_padding * shape.num_layer  # how far one stage looks
        self.num_layer = shape.num_layer
        self.batch_norm = batch_norm
        self.border = border
        init_weights(self)

    @classmethod
    def from_config(cls, config: TrainConfig, border: Border) -> Generator:
        return cls(NetworkShape.of(config), config.options_of("generator").batch_norm, border)

    @property
    def num_stages(self) -> int:
        return len(self.body)

    @property
    def device(self) -> torch.device:
        return next(self.tail.parameters()).device

    def grow(self) -> None:
        self.body.append(copy.deepcopy(self.body[-1]))

    # Drawing ----------------------------------------------------------------------------------

    def noise_channels(self, stage: int) -> int:
        return self.channels[min(stage, 1)]

    def noise_window(self, stage: int, frame: Frame) -> Window:
        """Stage 0 takes noise at its size; later ones, if the border is noise, that border too."""
        place = frame.places[stage]
        more = self.eaten if stage and frame.border == "noise" else 0
        top, left = place.rows.first - more, place.columns.first - more
        return Window(top, left, place.rows.num + 2 * more, place.columns.num + 2 * more)

    def advance(
        self, noise: Sequence[Tensor], amplitudes: Sequence[float], frame: Frame, first: int = 0,
        state: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """The feature map of the last stage that there is noise for, (N, filters, h, w).

        noise[0] is the stage-0 input (N, C, h, w), amplitudes[0] is never used.
        """
        for stage in range(first, len(noise)):
            z = noise[stage].to(self.dtype, memory_format=torch.channels_last)
            if stage == 0:
                state = self._first_stage(z, frame)
            elif state is not None:
                state = self._refine(stage, state, z, amplitudes[stage], frame)
        if state is None:
            raise ValueError(f"stage {first} goes on from the state of the stage before")
        return state

    def render(self, state: Tensor, frame: Frame | None = None) -> Tensor:
        """Turn a feature map into a picture: tanh(tail(x))."""
        weight, bias = self.tail.parameters()
        padding = self.tail_padding
        if frame is not None and frame.border == "wrap":
            state, padding = _wrapped(state, padding, frame.places[-1]), 0
        picture = torch.tanh(at_least_float(conv(state, weight, bias, padding)))
        if frame is None or frame.window is None:
            return picture
        window, place = frame.window, frame.places[-1]
        top, left = window.top - place.rows.first, window.left - place.columns.first
        return picture[..., top : top + window.height, left : left + window.width]

    def _first_stage(self, z: Tensor, frame: Frame) -> Tensor:
        place = frame.places[0]
        if frame.border == "wrap":
            x = _wrapped(z, self.tail_padding, place)
            x = self.head(x, border=-self.padding, norms=frame.norms)
            return self._run_wrapped_body(0, x, frame)
        x = self.head(z, border=self.pad, norms=frame.norms)  # h w
        if frame.border == "noise":
            x = _interpolate(x, place, place.widened(self.pad), inside=True)
            return self._run_body(0, x, frame, self.eaten - self.pad)
        return self._run_body(0, x, frame, self.eaten)

    def _refine(self, stage: int, x: Tensor, z: Tensor, amplitude: float, frame: Frame) -> Tensor:
        before, place = frame.places[stage - 1], frame.places[stage]
        residual = _interpolate(x, before, place, frame.border == "wrap")
        if frame.border == "noise":
            wide = _interpolate(x, before, place.widened(self.eaten))
            return residual + self._run_body(stage, torch.add(wide, z, alpha=amplitude), frame)
        noisy = torch.add(residual, z, alpha=amplitude)
        if frame.border == "wrap":
            return residual + self._run_wrapped_body(stage, noisy, frame)
        return residual + self._run_body(stage, noisy, frame, self.eaten)

    def _run_body(self, stage: int, x: Tensor, frame: Frame, border: int = 0) -> Tensor:
        first = 1 + stage * self.num_layer  # number of its first norm; the head's is 0
        for index, block in enumerate(self.body[stage].children(), start=first):
            x = block(x, border, frame.norms, index)
            border = 0
        return x

    def _run_wrapped_body(self, stage: int, x: Tensor, frame: Frame) -> Tensor:
        """What is around x is its other side, for a convolution's own padding, too."""
        x = _wrapped(x, self.reach, frame.places[stage])
        first = 1 + stage * self.num_layer
        for index, block in enumerate(self.body[stage].children(), start=first):
            x = block(x, -self.padding, frame.norms, index)
        return x

    # Parts ------------------------------------------------------------------------------------

    def part(self, frame: Frame, window: Window) -> Frame:
        """As the base class says. If the drawing wraps, its ends may lie within a part.

        A part's edges inside the drawing are computed as if they were the drawing's: what a
        stage's convolutions carry in from there is wrong, so that every stage has so much more.
        """
        if self.batch_norm and frame.norms is None:
            raise ValueError("with batch normalisation the whole picture decides every pixel")
        places, wrap = list(frame.places), frame.border == "wrap"
        place = window.of(places[-1]).grown(self.tail_padding, wrap)
        for stage in range(frame.num_stages - 1, 0, -1):
            places[stage] = place.grown(self.reach, wrap)
            targets = [places[stage]]
            if frame.border == "noise":
                targets.append(places[stage].widened(self.eaten))
            before = places[stage - 1]
            rows = needed(before.rows, [target.rows for target in targets], wrap)
            columns = needed(before.columns, [target.columns for target in targets], wrap)
            place = Place(rows, columns)
        # The head's reach; and what widening shifts, with what it takes of neighbours.
        more = self.tail_padding + (2 * self.pad + 2 if frame.border == "noise" else 0)
        places[0] = place.grown(self.reach + more, wrap)
        return replace(frame, places=tuple(places), window=window)

    @property
    def num_norms(self) -> int:
        return 1 + self.num_stages * self.num_layer if self.batch_norm else 0

    def norm_stage(self, index: int) -> int:
        return max(index - 1, 0) // self.num_layer

    def norm_input(
        self, noise: Sequence[Tensor], amplitudes: Sequence[float], frame: Frame
    ) -> Tensor:
        try:
            self.advance(noise, amplitudes, frame)
        except Reached as reached:
            x = reached.x
        else:
            raise ValueError("all statistics are known")
        place, window = frame.places[-1], frame.window or Window.all(frame.places[-1])
        cut = []
        for axis, first, num, there in (
            (place.rows, window.top, window.height, x.shape[2]),
            (place.columns, window.left, window.width, x.shape[3]),
        ):
            ring = (there - axis.num) // 2  # pixels around the place that the norm sees
            start, stop = first - axis.first + ring, first + num - axis.first + ring
            start -= ring if first == axis.low else 0
            stop += ring if first + num == axis.low + axis.total else 0
            cut.append(slice(start, stop))
        return x[..., cut[0], cut[1]]

    def drawing_memory(self, size: Size) -> int:
        return DRAWN_MAPS * size[0] * size[1] * self.channels[1] * self.dtype.itemsize

    # Training ---------------------------------------------------------------------------------

    @classmethod
    def training_memory(cls, config: TrainConfig, size: Size) -> int:
        """As the base class says, above the libraries' own.

        Measured, not derived: maps of the last stage that are alive at the same time, and the
        weights with their gradients and Adam's moments.
        """
        maps = 12 + 3 * config.num_layer
        itemsize = 2 if config.precision == "bf16" else 4
        kernels = config.nfc**2 * config.ker_size**2 * config.num_layer
        weights = 4 * 4 * kernels * (config.train_stages + 1)
        return maps * size[0] * size[1] * config.nfc * itemsize + weights

    def trained_stages(self, depth: int) -> range:
        return range(max(self.num_stages - depth, 0), self.num_stages)

    def learners(self, depth: int) -> list[Group]:
        """The last `depth` stages and the tail; the head, as part of stage 0, with that stage."""
        trained, last = self.trained_stages(depth), self.num_stages - 1
        self.head.requires_grad_(trained.start == 0)
        for stage, body in enumerate(self.body):
            body.requires_grad_(stage in trained)
        groups = [Group(f"body.{i}", list(self.body[i].parameters()), last - i) for i in trained]
        if trained.start == 0:
            groups.append(Group("head", list(self.head.parameters()), last))
        return [*groups, Group("tail", list(self.tail.parameters()), 0)]


def _interpolate(
    x: Tensor, source: Place, target: Place, wrap: bool = False, inside: bool = False
) -> Tensor:
    rows = interpolation(source.rows, target.rows, wrap, inside)
    return interpolate(x, rows, interpolation(source.columns, target.columns, wrap, inside))


def _wrapped(x: Tensor, border: int, place: Place) -> Tensor:
    """`border` more pixels a side: of a whole axis those of its other side, of a part's nothing."""
    for dim, axis in ((2, place.rows), (3, place.columns)):
        if not axis.is_whole:  # zeros, in a margin that is not wanted
            x = F.pad(x, (0, 0) * (3 - dim) + (border, border))
        elif border <= axis.num:
            ends = x.narrow(dim, axis.num - border, border), x.narrow(dim, 0, border)
            x = torch.cat([ends[0], x, ends[1]], dim)
        else:
            around = torch.arange(-border, axis.num + border, device=x.device) % axis.num
            x = x.index_select(dim, around)
    return x
