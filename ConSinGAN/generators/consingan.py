"""The growing generator of ConSinGAN, which passes on feature maps (paper section 3)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ConSinGAN.fast.weight_gradient import at_least_float
from ConSinGAN.frame import Border, Frame, Place, Size, Window, interpolation, needed
from ConSinGAN.generators.base import Generator, Group
from ConSinGAN.generators.excitation import Excitation, pool, source_of
from ConSinGAN.layers import NetworkShape, conv, init_weights
from ConSinGAN.norms import Reached
from ConSinGAN.resize import interpolate

if TYPE_CHECKING:
    from ConSinGAN.config import TrainConfig

DRAWN_MAPS = 6  # of the finest stage, alive at the same time while a picture is drawn


class Features(NamedTuple):
    """What is passed on where earlier stages weigh channels: the map, and what is left of each."""

    x: Tensor
    pooled: tuple[Tensor, ...]


class ConSinGANGenerator(Generator):
    """head -> body[0] -> ... -> body[n] -> tail, one body per stage.

    Every stage upsamples the *feature map* of the one before, adds noise and refines it
    residually. Pictures are (N, image_channels, h, w) in [-1, 1].

    border: "noise" upsamples onto a border that the convolutions then consume (generation,
    animation), "zeros" pads (retarget, harmonization, editing), "wrap" goes on at the other side.
    fade_in: the share of a new stage's iterations over which what it adds grows from 0 to its own
    (Karras et al. 2018, "Progressive growing of GANs"). skip_excitation: earlier stages weigh the
    channels of what a stage adds, see `excitation`.
    """

    name = "consingan"
    summary = "passes feature maps on from stage to stage"

    def __init__(
        self, shape: NetworkShape | None = None, batch_norm: bool = False,
        border: Border = "noise", fade_in: float = 0.0, skip_excitation: bool = False,
    ) -> None:  # fmt: skip
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
        self.fade_in, self.skip_excitation = fade_in, skip_excitation
        self.share: Tensor | None = None  # of what the last stage adds; None: all
        if skip_excitation:
            self.gates = nn.ModuleList([Excitation(shape)])  # of the stages but the first
            self.why_whole = "with `skip_excitation` the whole picture decides every pixel"

    @classmethod
    def from_config(cls, config: TrainConfig, border: Border) -> Generator:
        options = config.options_of("generator")
        return cls(
            NetworkShape.of(config), options.batch_norm, border, options.fade_in,
            options.skip_excitation,
        )  # fmt: skip

    @property
    def num_stages(self) -> int:
        return len(self.body)

    @property
    def device(self) -> torch.device:
        return next(self.tail.parameters()).device

    def grow(self) -> None:
        self.body.append(copy.deepcopy(self.body[-1]))
        if self.skip_excitation and self.num_stages > 2:
            self.gates.append(copy.deepcopy(self.gates[-1]))

    def start_iteration(self, done: int, niter: int) -> None:
        """As the base class says. The share is a tensor: steps are recorded and replayed."""
        if not self.fade_in:
            return
        if self.share is None or self.share.device != self.device:
            self.share = torch.empty((), device=self.device)
        self.share.fill_(min(done / (self.fade_in * niter), 1.0))

    # Drawing ----------------------------------------------------------------------------------

    def noise_channels(self, stage: int) -> int:
        return self.channels[min(stage, 1)]

    def noise_window(self, stage: int, frame: Frame) -> Window:
        """Stage 0 takes noise at its size; later ones, if the border is noise, that border too."""
        place = frame.places[stage]
        border = self.eaten if stage and frame.border == "noise" else 0
        high, wide = (0 if ring else border for ring in place.wraps)
        top, left = place.rows.first - high, place.columns.first - wide
        return Window(top, left, place.rows.num + 2 * high, place.columns.num + 2 * wide)

    def advance(
        self, noise: Sequence[Tensor], amplitudes: Sequence[float], frame: Frame, first: int = 0,
        state: Any = None,
    ) -> Any:  # fmt: skip
        """The feature map of the last stage that there is noise for, (N, filters, h, w).

        noise[0] is the stage-0 input (N, C, h, w), amplitudes[0] is never used. With
        skip_excitation: `Features`.
        """
        x, pooled = state if isinstance(state, Features) else (state, ())
        for stage in range(first, len(noise)):
            z = noise[stage].to(self.dtype, memory_format=torch.channels_last)
            if stage == 0:
                x = self._first_stage(z, frame)
            elif x is not None:
                gate = self._gate(stage, pooled)
                x = self._refine(stage, x, z, amplitudes[stage], frame, gate)
            if self.skip_excitation and x is not None:
                pooled = (*pooled, pool(x))
        if x is None:
            raise ValueError(f"stage {first} goes on from the state of the stage before")
        return Features(x, pooled) if self.skip_excitation else x

    def render(self, state: Any, frame: Frame | None = None, first: Tensor | None = None) -> Tensor:
        """Turn a feature map into a picture: tanh(tail(x))."""
        x = state.x if isinstance(state, Features) else state
        return cut_window(torch.tanh(self._tail(x, frame)), frame)

    def _gate(self, stage: int, pooled: Sequence[Tensor]) -> Tensor | None:
        """The weights of what a stage adds, if an earlier one decides them."""
        return self.gates[stage - 1](pooled[source_of(stage)]) if self.skip_excitation else None

    def _tail(self, state: Tensor, frame: Frame | None) -> Tensor:
        """The last convolution, at least float32."""
        weight, bias = self.tail.parameters()
        padding = self.tail_padding
        if frame is not None:
            state, padding = surround(state, frame.places[-1], padding, padding)
        return at_least_float(conv(state, weight, bias, padding))

    def _first_stage(self, z: Tensor, frame: Frame) -> Tensor:
        place, border = frame.places[0], self.eaten
        z, zeros = surround(z, place, self.pad, self.tail_padding)
        x = self._cut(self.head(z, zeros + self._own(place), frame.norms), place, 1)  # h w
        if frame.border == "noise":
            x = _interpolate(x, place, place.widened(self.pad), inside=True)
            border -= self.pad
        return self._run_rings(0, x, frame, border)

    def _refine(
        self, stage: int, x: Tensor, z: Tensor, amplitude: float, frame: Frame,
        gate: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        before, place = frame.places[stage - 1], frame.places[stage]
        residual = _interpolate(x, before, place)
        if frame.border == "noise":
            wide = _interpolate(x, before, place.widened(self.eaten))
            noisy, border = _add_noise(wide, z, amplitude), 0
        else:
            noisy, border = _add_noise(residual, z, amplitude), self.eaten
        added = self._run_rings(stage, noisy, frame, border)
        if gate is not None:
            added = added * gate.to(added.dtype)
        if self.share is not None and stage == self.num_stages - 1:
            added = added * self.share
        return residual + added

    def _run_rings(self, stage: int, x: Tensor, frame: Frame, border: int) -> Tensor:
        """Run a body; around x are `border` zeros or, where it is a ring, its other side."""
        place = frame.places[stage]
        x, border = surround(x, place, border, self.reach)
        x = self._run_body(stage, x, frame, border, self._own(place))
        return self._cut(x, place, self.num_layer)

    def _own(self, place: Place) -> int:
        """What is added to the padding of every convolution: if all goes on, there is none."""
        return -self.padding if all(place.wraps) else 0

    def _cut(self, x: Tensor, place: Place, layers: int) -> Tensor:
        """Cut off what convolutions that pad by themselves have left of a ring's surroundings."""
        more = 0 if all(place.wraps) else layers * self.padding
        rows, columns = (
            slice(more, -more) if ring and more else slice(None) for ring in place.wraps
        )
        return x[..., rows, columns] if more and any(place.wraps) else x

    def _run_body(
        self, stage: int, x: Tensor, frame: Frame, border: int = 0, own: int = 0
    ) -> Tensor:
        first = 1 + stage * self.num_layer  # number of its first norm; the head's is 0
        for index, block in enumerate(self.body[stage].children(), start=first):
            x = block(x, border + own, frame.norms, index)
            border = 0
        return x

    # Parts ------------------------------------------------------------------------------------

    def part(self, frame: Frame, window: Window) -> Frame:
        """As the base class says. If the drawing wraps, its ends may lie within a part.

        A part's edges inside the drawing are computed as if they were the drawing's: what a
        stage's convolutions carry in from there is wrong, so that every stage has so much more.
        """
        if self.why_whole:
            raise ValueError(self.why_whole)
        if self.batch_norm and frame.norms is None:
            raise ValueError("with batch normalisation the whole picture decides every pixel")
        places = list(frame.places)
        place = window.of(places[-1]).grown(self.tail_padding)
        for stage in range(frame.num_stages - 1, 0, -1):
            places[stage] = place.grown(self.reach)
            targets = [places[stage]]
            if frame.border == "noise":
                targets.append(places[stage].widened(self.eaten))
            before = places[stage - 1]
            rows = needed(before.rows, [target.rows for target in targets])
            columns = needed(before.columns, [target.columns for target in targets])
            place = Place(rows, columns)
        # The head's reach; and what widening shifts, with what it takes of neighbours.
        more = self.tail_padding + (2 * self.pad + 2 if frame.border == "noise" else 0)
        places[0] = place.grown(self.reach + more)
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
        for stage, gate in enumerate(self.gates if self.skip_excitation else [], start=1):
            gate.requires_grad_(stage in trained)
            if stage in trained:
                groups.append(Group(f"gate.{stage}", list(gate.parameters()), last - stage))
        if trained.start == 0:
            groups.append(Group("head", list(self.head.parameters()), last))
        return [*groups, Group("tail", list(self.tail.parameters()), 0)]


def _interpolate(x: Tensor, source: Place, target: Place, inside: bool = False) -> Tensor:
    rows = interpolation(source.rows, target.rows, inside)
    return interpolate(x, rows, interpolation(source.columns, target.columns, inside))


def surround(x: Tensor, place: Place, zeros: int, ring: int) -> tuple[Tensor, int]:
    """What a convolution takes: x, and the zeros that it shall put around.

    Where the place is a ring, `ring` pixels of the other side are put there instead; around a part
    of a ring there is a margin that is not wanted.
    """
    if not any(place.wraps):
        return x, zeros
    for dim, axis in ((2, place.rows), (3, place.columns)):
        if axis.wraps and axis.is_whole:
            num = x.shape[dim]
            x = x.index_select(dim, torch.arange(-ring, num + ring, device=x.device) % num)
        else:
            more = ring if axis.wraps else zeros
            x = F.pad(x, (0, 0, more, more) if dim == 2 else (more, more))
    return x.contiguous(memory_format=torch.channels_last), 0


def cut_window(picture: Tensor, frame: Frame | None) -> Tensor:
    """The part of a picture that the frame wants."""
    if frame is None or frame.window is None:
        return picture
    window, place = frame.window, frame.places[-1]
    top, left = window.top - place.rows.first, window.left - place.columns.first
    return picture[..., top : top + window.height, left : left + window.width]


def _add_noise(x: Tensor, z: Tensor, amplitude: float) -> Tensor:
    """z: of as many channels, or of none if there is no noise."""
    return torch.add(x, z, alpha=amplitude) if z.shape[1] else x
