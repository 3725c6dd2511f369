"""What a task is: something that a trained model is asked to do.

Modules of tasks import torch where they use it, which keeps wrong flags quick.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ConSinGAN.errors import UsageError
from ConSinGAN.evaluation import MOVIES

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.model import ImageModel
    from ConSinGAN.modes.base import Mode
    from ConSinGAN.naive import Naive
    from ConSinGAN.tiles import TiledPicture

    # (1, C, h, w) in [-1, 1], uint8 (h, w, 3), or one that is drawn as it is written
    Picture = Tensor | np.ndarray | TiledPicture


NUM_SHEET_SAMPLES = 9


@dataclass(frozen=True)
class Drawing:
    """What a task yields: a picture, or one that moves.

    name: of its file, without the extension; a folder may be in front. frames: one of a still,
    else all, drawn as they are taken. fps: frames per second; None for a still.
    """

    name: str
    frames: Iterable[Picture]
    fps: int | None = None


class Task(ABC):
    """No task writes a file: it yields drawings."""

    name: ClassVar[str] = ""  # what --task calls it; no name, no component
    summary: ClassVar[str] = ""  # one line for lists
    defaults: ClassVar[Mapping[str, Any]] = {}  # of its options, that differ from their own
    moves: ClassVar[bool] = False  # whether any of its drawings moves
    # Names of drawings: those that only show what was there before, and how the names of two begin
    # that show before and after.
    references: ClassVar[tuple[str, ...]] = ("reconstruction", "real_image")
    compared: ClassVar[tuple[str, str] | None] = None
    paints: ClassVar[bool] = False  # whether colours are painted on the picture that it is given
    reads_picture: ClassVar[bool] = False  # whether it is given one, of which --frame can be told

    def unsuited(self, mode: Mode, config: TrainConfig) -> str | None:
        """Why a model trained in this mode cannot do it; None if it can."""
        return None

    def check_flags(self, config: EvalConfig) -> None:
        """Raise UsageError, naming the flag, for what can be told without the model."""
        if config.frame is not None and not self.reads_picture:
            raise UsageError(
                f"`frame` {config.frame}: `task` {self.name} reads no picture; leave it away"
            )
        if config.format in MOVIES and not self.moves:
            raise UsageError(
                f"`format` {config.format}: `task` {self.name} draws nothing that moves; it writes "
                "png, jpg and tif"
            )

    def check(self, model: ImageModel, config: EvalConfig) -> None:
        """Raise UsageError, naming the flag, before anything is drawn or written."""
        return

    @abstractmethod
    def run(self, model: ImageModel, config: EvalConfig) -> Iterator[Drawing]:
        """The drawings, one after the other."""

    def measured(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        """What `--metrics` measures: the number of pictures, and the pictures, (1, C, h, w)."""
        raise UsageError(f"`metrics`: `task` {self.name} draws nothing that can be measured")

    def sheet(self, model: ImageModel) -> list[Tensor]:
        """What shows a finished model at a glance, pictures (1, C, h, w)."""
        return [model.reals[-1], model.reconstruct(), *model.sample(NUM_SHEET_SAMPLES)]

    def preview(
        self, model: ImageModel, iteration: int, seed: Sequence[int], naive: Naive | None
    ) -> Iterator[Drawing]:
        """What is shown of a model that is being trained."""
        return iter(())
