"""What a generator is: a network that grows by stages and draws pictures in frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from ConSinGAN.frame import Border, Frame, Size, Window

if TYPE_CHECKING:
    from ConSinGAN.config import TrainConfig


@dataclass(frozen=True)
class Group:
    """Parameters that learn at one rate: lr * lr_scale^depth."""

    name: str
    parameters: list[nn.Parameter]
    depth: int  # stages below the last one


class Generator(nn.Module, ABC):
    """Pictures are (N, C, h, w) in (-1, 1). What is passed on from stage to stage is its state.

    dtype: of the arithmetic; weights stay float32.
    """

    name: ClassVar[str] = ""  # what --generator calls it; no name, no component
    summary: ClassVar[str] = ""  # one line for --help
    needs: ClassVar[Mapping[str, str]] = {}  # other components, by option; see `registry`
    defaults: ClassVar[Mapping[str, Any]] = {}  # of other options, where they suit it better
    remembers_noise: bool = False  # whether the reconstruction begins with noise like all pictures
    exact_norms: ClassVar[bool] = False  # whether drawing adds up their statistics in float64
    why_whole: str | None = None  # why parts of a picture cannot be drawn alone, if they cannot
    border: Border  # what its convolutions see around a picture
    dtype: torch.dtype = torch.float32

    @classmethod
    @abstractmethod
    def from_config(cls, config: TrainConfig, border: Border) -> Generator:
        """A fresh one-stage generator for a configuration; border: the mode's."""

    @classmethod
    @abstractmethod
    def training_memory(cls, config: TrainConfig, size: Size) -> int:
        """About how many bytes training takes at a last stage of `size` (h, w)."""

    @property
    @abstractmethod
    def num_stages(self) -> int:
        """The number of stages grown so far."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where it computes."""

    @abstractmethod
    def grow(self) -> None:
        """Add a stage that starts as a copy of the last one."""

    @classmethod
    def work(cls, config: TrainConfig, num_stages: int) -> list[float]:
        """Of one iteration: how often maps of `nfc` filters pass through each stage, about."""
        trained = range(max(num_stages - config.train_depth, 0), num_stages)
        return [6.0 if stage in trained else 1.0 for stage in range(num_stages)]

    def fit(self, finest: Size, config: TrainConfig) -> None:
        """Called with (h, w) of the finest real picture before anything is drawn."""
        return

    def start_iteration(self, done: int, niter: int) -> None:
        """Called before every iteration of the last stage, of which `done` are done, and after."""
        return

    def fixed_noise(self, drawn: Tensor) -> Tensor:
        """What the reconstruction takes of the noise that was drawn for a stage above the first."""
        return drawn

    def draft(self, noise: Sequence[Tensor], amplitudes: Sequence[float], frame: Frame) -> Tensor:
        """What the last stage makes better: its error decides how much noise there is.

        noise: of the reconstruction; the last stage's amplitude is 0.
        """
        return self(noise, amplitudes, frame)

    @abstractmethod
    def trained_stages(self, depth: int) -> range:
        """The stages that learn while the last stage is trained, at most `depth`."""

    @abstractmethod
    def learners(self, depth: int) -> list[Group]:
        """Let the last `depth` stages learn and freeze all others; return what learns."""

    @abstractmethod
    def noise_window(self, stage: int, frame: Frame) -> Window:
        """The pixels that a stage's noise map has, counted from the stage's own first pixel."""

    @abstractmethod
    def noise_channels(self, stage: int) -> int:
        """The channels of a stage's noise map."""

    @abstractmethod
    def advance(
        self, noise: Sequence[Tensor], amplitudes: Sequence[float], frame: Frame, first: int = 0,
        state: Any = None,
    ) -> Any:  # fmt: skip
        """Run the stages from `first` on, as far as there is noise, and return the state.

        noise, amplitudes: of all stages; those below `first` are not used. state: of the stage
        before `first`.
        """

    @abstractmethod
    def render(self, state: Any, frame: Frame | None = None, first: Tensor | None = None) -> Tensor:
        """The picture that a state shows: (N, C, h, w) in (-1, 1), at least float32.

        first: the stage-0 input.
        """

    @abstractmethod
    def drawing_memory(self, size: Size) -> int:
        """About how many bytes it takes to draw one picture of size (h, w)."""

    def noise_shape(self, stage: int, frame: Frame, num: int = 1) -> tuple[int, int, int, int]:
        """(N, C, H, W) of the noise of a stage for `num` pictures."""
        window = self.noise_window(stage, frame)
        return num, self.noise_channels(stage), window.height, window.width

    def noise_shapes(self, frame: Frame, num: int = 1) -> list[tuple[int, int, int, int]]:
        """`noise_shape` of all the frame's stages."""
        return [self.noise_shape(stage, frame, num) for stage in range(frame.num_stages)]

    def frame(self, sizes: Sequence[Size], window: Window | None = None) -> Frame:
        """A drawing that has `sizes` (h, w) at its stages, or what a window of it needs.

        Raises ValueError if the window is not inside, or if parts cannot be drawn alone.
        """
        whole = self.whole_frame(sizes)
        return whole if window is None else self.part(whole, window)

    def whole_frame(self, sizes: Sequence[Size]) -> Frame:
        """A whole drawing that has `sizes` (h, w) at its stages."""
        return Frame.whole(sizes, self.border)

    def part(self, frame: Frame, window: Window) -> Frame:
        """What has to be computed of a whole drawing for a window of its last stage.

        Raises ValueError if the window is not inside, or if parts cannot be drawn alone.
        """
        raise ValueError(self.why_whole or "this generator draws whole pictures only")

    @property
    def num_norms(self) -> int:
        """How many of its layers need statistics of the whole picture."""
        return 0

    def norm_stage(self, index: int) -> int:
        """The stage that such a layer is in; they are numbered in the order of their work."""
        raise ValueError("no norms")

    def norm_input(
        self, noise: Sequence[Tensor], amplitudes: Sequence[float], frame: Frame
    ) -> Tensor:
        """What the first norm that the frame does not know sees of its window: (1, C, h, w).

        frame: a part of a drawing that ends at the norm's stage. Windows that share the drawing
        share what the norm sees: what is beyond the drawing's edge goes with the edge's pixels.
        """
        raise ValueError("no norms")

    def forward(self, noise: Sequence[Tensor], amplitudes: Sequence[float], frame: Frame) -> Tensor:
        """Draw the pictures of a frame from the noise of all its stages."""
        return self.render(self.advance(noise, amplitudes, frame), frame, noise[0])
