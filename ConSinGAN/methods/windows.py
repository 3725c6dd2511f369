"""Training on random windows of large stages, in the place of their whole pictures.

A patch critic sees 11 pixels, and a generator stage few more: a large picture is a batch of patches
that say much the same. A window is a smaller batch, at another place in every iteration. What the
generator draws of it is what it would draw of it in a whole picture: its stages below are windows
too, as much larger as the convolutions reach (`Generator.part`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from ConSinGAN import modes
from ConSinGAN.config import TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.frame import Frame, Window
from ConSinGAN.generators.base import Generator
from ConSinGAN.latents import RandomLatents, cut
from ConSinGAN.model import ImageModel
from ConSinGAN.noise import DrawingStreams, Purpose
from ConSinGAN.registry import METHODS

GRID = 8  # pixels between the places of windows: few shapes, whose kernels and operators are kept


@dataclass(frozen=True)
class View:
    """What of a stage an iteration looks at.

    real: (1, C, h, w), the real picture there. noise_shapes, anchor: of its random noise and the
    reconstruction's own, for every stage. features: what the frozen stages make of the anchor.
    """

    frame: Frame
    real: Tensor
    noise_shapes: list[tuple[int, int, int, int]]
    anchor: list[Tensor]
    features: Tensor | None

    @classmethod
    def whole(cls, model: ImageModel, first: int) -> View:
        """The whole picture; first: the first stage that learns."""
        frame, anchor = model.frame, model.fixed_noise
        features = frozen_features(model, anchor, frame, first)
        return cls(frame, model.real, model.generator.noise_shapes(frame), anchor, features)

    def enter(self, first_input: Tensor) -> Tensor:
        """The stage-0 input of this view, of that of the whole picture."""
        return cut(first_input, self.frame.places[0])


@dataclass
class Windows:
    """Random windows of the last stage, `side` pixels long where the picture is that long.

    whole: the view of the whole picture. first: the first stage that learns.
    """

    model: ImageModel
    whole: View
    side: int
    first: int
    _frames: dict[Window, Frame] = field(default_factory=dict)

    @classmethod
    def of(cls, model: ImageModel, whole: View, first: int) -> Windows | None:
        """Those that a run asks for; None if the stage is looked at whole."""
        side = model.config.train_window
        return cls(model, whole, side, first) if 0 < side < max(whole.frame.size) else None

    def draw(self, stream: torch.Generator) -> View:
        """The view of a window at a random place."""
        height, width = self.whole.frame.size
        (top, high), (left, wide) = (self._span(num, stream) for num in (height, width))
        return self._view(Window(top, left, high, wide))

    def _span(self, num: int, stream: torch.Generator) -> tuple[int, int]:
        """First pixel and length of a window along a side of `num` pixels.

        It would lie up to half outside, and is moved inside then: otherwise hardly any window would
        show the picture's edges.
        """
        side = min(self.side, num)
        first = int(torch.randint(-(side // 2), num - side // 2 + 1, (), generator=stream))
        last = num - side
        return (last if first >= last else max(first, 0) // GRID * GRID), side

    def _view(self, window: Window) -> View:
        if window not in self._frames:
            self._frames[window] = self.model.generator.part(self.whole.frame, window)
        frame, generator = self._frames[window], self.model.generator
        rows, columns = window.cut(Window.all(self.whole.frame.places[-1]))
        features = self.whole.features
        if features is not None:
            features = cut(features, frame.places[self.first - 1])
        return View(
            frame,
            self.whole.real[..., rows, columns].contiguous(),
            generator.noise_shapes(frame),
            list(self._anchor(frame)),
            features,
        )

    def _anchor(self, frame: Frame) -> list[Tensor]:
        """The reconstruction's noise maps there."""
        model = self.model
        latents = RandomLatents(
            model.generator, model.mode, model.reals[0], partial(DrawingStreams, Purpose.ANCHOR, 0),
            anchor=model.fixed_noise, native=self.whole.frame, start=len(model.fixed_noise),
        )  # fmt: skip
        return latents(frame)


@torch.no_grad()
def frozen_features(
    model: ImageModel, noise: Sequence[Tensor], frame: Frame, first: int
) -> Tensor | None:
    """What the stages below `first`, which do not learn, make of noise; None if all learn."""
    return model.generator.advance(noise[:first], model.noise_amp, frame) if first else None


def why_no_windows(config: TrainConfig, generator: Generator) -> str | None:
    """What keeps a run from training on windows; None if nothing does."""
    mode = modes.get(config.train_mode)
    if not getattr(METHODS.load(config.recipe.method(mode.method)), "takes_windows", False):
        return f"{mode.name} with `generator` {config.generator} is trained in another way"
    if mode.hides:
        return "cannot be had with a hole in the picture"
    try:
        generator.frame([(8, 8)], Window(0, 0, 1, 1))
    except ValueError as error:
        return str(error)
    return None


def check_windows(config: TrainConfig, generator: Generator) -> None:
    """Raise UsageError if the run is to train on windows and cannot."""
    if not config.train_window:
        return
    name, least = f"`train_window` {config.train_window}", 2 * config.critic_field
    if reason := why_no_windows(config, generator):
        raise UsageError(f"{name}: {reason}; leave it out")
    if config.train_window < least:
        raise UsageError(f"{name}: must be at least {least}, twice what the critic looks at")
