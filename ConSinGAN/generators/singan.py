"""SinGAN's generator: every stage is a network of its own, and passes on a picture.

Shaham, Dekel, Michaeli, "SinGAN: learning a generative model from a single natural image", 2019.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ConSinGAN import modes
from ConSinGAN.fast.weight_gradient import at_least_float
from ConSinGAN.frame import Axis, Border, Frame, Place, Size, Window
from ConSinGAN.generators.base import Generator, Group
from ConSinGAN.generators.consingan import cut_window, surround
from ConSinGAN.layers import NetworkShape, conv, drawing_weights, init_weights, width_at
from ConSinGAN.norms import Norms
from ConSinGAN.pyramid import scale_factor
from ConSinGAN.resize import Resampling, interpolate

if TYPE_CHECKING:
    from ConSinGAN.config import TrainConfig

DRAWN_MAPS = 5  # of the finest stage, alive at the same time while a picture is drawn
TRAINED_MAPS = 75  # likewise, in training
NEARLY = 1e-6  # pixels by which a size may be missed in rounding


class StageNetwork(nn.Module):
    """num_layer + 2 convolutions; zeros around the picture make up for what they eat.

    (N, C, h, w) -> (N, C, h, w) in (-1, 1). Names of weights are those of SinGAN's code, but that
    its blocks are counted from 1.
    """

    def __init__(self, shape: NetworkShape, batch_norm: bool) -> None:
        super().__init__()
        self.head = shape.block(shape.image_channels, batch_norm)
        self.body = shape.body(batch_norm)
        self.tail = nn.Sequential(
            nn.Conv2d(shape.num_filters, shape.image_channels, shape.ker_size)
        )
        self.padding, self.num_convs = shape.padding, shape.num_layer + 2
        self.reach = self.num_convs * (shape.ker_size // 2)  # pixels to each side
        init_weights(self)

    def forward(self, x: Tensor, place: Place, norms: Norms | None, first: int) -> Tensor:
        """At least float32. norms, first: what is known of its norms, the number of the first."""
        eaten = self.reach - self.num_convs * self.padding
        size = x.shape[2:]
        x, border = surround(x, place, eaten, self.reach)
        own = -self.padding if all(place.wraps) else 0
        x = self.head(x, border + own, norms, first)
        for index, block in enumerate(self.body.children(), start=first + 1):
            x = block(x, own, norms, index)
        weight, bias = self.tail.parameters()
        x = at_least_float(torch.tanh(conv(x, weight, bias, self.padding + own)))
        if x.shape[2:] != size:  # around a part of a ring
            more = [(there - wanted) // 2 for there, wanted in zip(x.shape[2:], size, strict=True)]
            x = x[..., more[0] : more[0] + size[0], more[1] : more[1] + size[1]]
        return x


class SinGANGenerator(Generator):
    """picture = network(amplitude * noise + previous) + previous, at every stage.

    `previous` is the picture of the stage below, enlarged by the antialiased cubic `resize` and cut
    to size; there is none at stage 0, whose noise is the same in all channels. A stage that is as
    wide as the one before starts as its copy, others afresh (see `layers.width_at`).
    """

    border: Border
    name = "singan"
    summary = "passes pictures on; every stage is a network of its own (Shaham 2019)"
    defaults = {
        "critic": "singan",
        "nfc": 32,
        "lrelu_alpha": 0.2,
        "batch_norm": True,
        "train_depth": 1,
    }
    exact_norms = True  # in float32 torch's are off by a few 1e-6, which all later stages enlarge
    why_whole = "`generator` singan draws whole pictures only"

    def __init__(
        self, shape: NetworkShape | None = None, batch_norm: bool = True, border: Border = "zeros",
        from_noise: bool = True, seed: int = 0,
    ) -> None:  # fmt: skip
        """from_noise: whether what enters stage 0 is noise, of one channel. seed: of weights that
        are drawn when it grows.
        """
        super().__init__()
        self.shape, self.batch_norm = shape or NetworkShape(num_filters=32, slope=0.2), batch_norm
        self.border = "wrap" if border == "wrap" else "zeros"
        self.remembers_noise = from_noise
        self.seed = seed
        self.ratio = 0.75  # of the sizes of neighbouring stages, until `fit` says
        self.stages = nn.ModuleList([StageNetwork(self.shape, batch_norm)])

    @classmethod
    def from_config(cls, config: TrainConfig, border: Border) -> Generator:
        from_noise = modes.get(config.train_mode).draws_noise()
        batch_norm = config.options_of("generator").batch_norm
        return cls(NetworkShape.of(config), batch_norm, border, from_noise, config.manualSeed or 0)

    def fit(self, finest: Size, config: TrainConfig) -> None:
        self.ratio = scale_factor(finest, config.train_stages, config.min_size)

    @property
    def num_stages(self) -> int:
        return len(self.stages)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def grow(self) -> None:
        """As the base class says, but where it gets wider the weights are drawn."""
        new = self.num_stages
        before, now = (width_at(self.shape.num_filters, stage) for stage in (new - 1, new))
        if now == before:
            self.stages.append(copy.deepcopy(self.stages[-1]))
            return
        with drawing_weights(self.seed, new):
            fresh = StageNetwork(replace(self.shape, num_filters=now), self.batch_norm)
        self.stages.append(fresh.to(next(self.parameters())))

    # Drawing ----------------------------------------------------------------------------------

    def noise_channels(self, stage: int) -> int:
        return 1 if stage == 0 and self.remembers_noise else self.shape.image_channels

    def noise_window(self, stage: int, frame: Frame) -> Window:
        return Window.all(frame.places[stage])

    def fixed_noise(self, drawn: Tensor) -> Tensor:
        """Nothing: above the first stage the reconstruction has no noise."""
        return torch.zeros_like(drawn)

    def advance(
        self, noise: Sequence[Tensor], amplitudes: Sequence[float], frame: Frame, first: int = 0,
        state: Any = None,
    ) -> Any:  # fmt: skip
        """The picture of the last stage that there is noise for, (N, C, h, w), float32.

        noise[0] is the stage-0 input (N, C or 1, h, w), amplitudes[0] is never used.
        """
        for stage in range(first, len(noise)):
            if stage == 0:
                state = self.draw_stage(0, noise[0], 1.0, None, frame)
            elif state is not None:
                previous = self.enlarge(state, stage, frame)
                state = self.draw_stage(stage, noise[stage], amplitudes[stage], previous, frame)
        if state is None:
            raise ValueError(f"stage {first} goes on from the picture of the stage before")
        return state

    def draw_stage(
        self, stage: int, noise: Tensor, amplitude: float, previous: Tensor | None, frame: Frame
    ) -> Tensor:
        """The picture that a stage makes of noise and of the previous picture, at its size."""
        if previous is None:
            x = noise.expand(-1, self.shape.image_channels, -1, -1)
        else:
            x = torch.add(previous, noise, alpha=amplitude)
        x = x.to(self.dtype).contiguous(memory_format=torch.channels_last)
        first = stage * (1 + self.shape.num_layer)
        drawn = self.stages[stage](x, frame.places[stage], frame.norms, first)
        return drawn if previous is None else drawn + previous

    def enlarge(self, picture: Tensor, stage: int, frame: Frame) -> Tensor:
        """The picture of the stage below `stage` at its size, in [-1, 1]."""
        before, place = frame.places[stage - 1], frame.places[stage]
        rows = resampling(before.rows, place.rows, self.ratio)
        columns = resampling(before.columns, place.columns, self.ratio)
        exact = torch.float32 if picture.device.type == "mps" else torch.float64
        return interpolate(picture.to(exact), rows, columns).float().clamp(-1, 1)

    def draft(self, noise: Sequence[Tensor], amplitudes: Sequence[float], frame: Frame) -> Tensor:
        """The reconstruction of the stages below, enlarged."""
        last = len(noise) - 1
        return self.enlarge(self.advance(noise[:last], amplitudes, frame), last, frame)

    def render(self, state: Any, frame: Frame | None = None, first: Tensor | None = None) -> Tensor:
        """The picture as it is: about in [-1, 1], nothing cuts what overshoots."""
        return cut_window(state, frame)

    @property
    def num_norms(self) -> int:
        return self.num_stages * (1 + self.shape.num_layer) if self.batch_norm else 0

    def norm_stage(self, index: int) -> int:
        return index // (1 + self.shape.num_layer)

    def drawing_memory(self, size: Size) -> int:
        filters = width_at(self.shape.num_filters, self.num_stages - 1)
        return DRAWN_MAPS * size[0] * size[1] * filters * self.dtype.itemsize

    # Training ---------------------------------------------------------------------------------

    @classmethod
    def training_memory(cls, config: TrainConfig, size: Size) -> int:
        """As the base class says, above the libraries' own. Measured, as ConSinGAN's."""
        filters = width_at(config.nfc, config.train_stages - 1)
        itemsize = 2 if config.precision == "bf16" else 4
        maps = TRAINED_MAPS * size[0] * size[1] * filters * itemsize
        kernels = config.ker_size**2 * config.num_layer
        widths = [width_at(config.nfc, stage) ** 2 for stage in range(config.train_stages)]
        return maps + 4 * kernels * (sum(widths) + 7 * widths[-1])

    @classmethod
    def work(cls, config: TrainConfig, num_stages: int) -> list[float]:
        """As the base class says; the critic, which the caller counts once, is as wide."""
        more = [(width_at(config.nfc, stage) / config.nfc) ** 2 for stage in range(num_stages)]
        critic = 10 * config.Dsteps + 2 * config.Gsteps
        below = [config.Dsteps * factor for factor in more[:-1]]
        return [*below, 6 * config.Gsteps * more[-1] + critic * (more[-1] - 1)]

    def trained_stages(self, depth: int) -> range:
        """The last alone."""
        return range(self.num_stages - 1, self.num_stages)

    def learners(self, depth: int) -> list[Group]:
        last = self.num_stages - 1
        for index, stage in enumerate(self.stages):
            stage.requires_grad_(index == last)
        return [Group(f"stages.{last}", list(self.stages[last].parameters()), 0)]


def resampling(source: Axis, target: Axis, ratio: float) -> Resampling:
    """What enlarges a stage's axis by 1/ratio; if that is not enough for the target, by more."""
    fits = target.total <= source.total / ratio + 1 - NEARLY or source.total > source.aligned
    scale = ratio if fits and not source.wraps else source.total / target.total
    return Resampling(
        source.total, scale, target.first, target.num, source.first, source.num,
        wrap=source.wraps, low=source.low,
    )  # fmt: skip
