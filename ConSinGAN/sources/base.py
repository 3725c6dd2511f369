"""What a source is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from ConSinGAN.config import TrainConfig
from ConSinGAN.model import ImageModel
from ConSinGAN.naive import Naive
from ConSinGAN.noise import RandomStreams


@dataclass(frozen=True)
class Pair:
    """What enters stage 0, (N, C, h, w), and what shall come out at the last stage, (N, C, H, W).

    sizes: (h, w) of all stages up to that one.
    """

    entering: Tensor
    target: Tensor
    sizes: list[tuple[int, int]]


class Source(ABC):
    """What one run is trained on; modes choose it by name.

    naive: the picture of --naive_img, if any, which previews show.
    """

    name: ClassVar[str] = ""  # no name: none that a mode could choose
    naive: Naive | None = None

    def fixed_input(self, model: ImageModel, streams: RandomStreams) -> Tensor:
        """The stage-0 input of the reconstruction, (1, C, h, w)."""
        return model.fixed_input(streams)

    @abstractmethod
    def __init__(self, config: TrainConfig, naive: Naive | None = None) -> None:
        """What a run of this configuration is trained on."""

    @abstractmethod
    def draw_input(self, model: ImageModel, streams: RandomStreams) -> Any:
        """What one iteration takes: the stage-0 input, (1, C, h, w), or what the method wants."""
