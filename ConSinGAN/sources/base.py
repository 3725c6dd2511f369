"""What a source is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from ConSinGAN.model import ImageModel
from ConSinGAN.naive import Naive
from ConSinGAN.noise import RandomStreams


class Source(ABC):
    """What one run is trained on.

    naive: the picture of --naive_img, if any, which previews show.
    """

    naive: Naive | None = None

    def fixed_input(self, model: ImageModel, streams: RandomStreams) -> Tensor:
        """The stage-0 input of the reconstruction, (1, C, h, w)."""
        return model.mode.fixed_input(model.reals[0], streams)

    @abstractmethod
    def draw_input(self, model: ImageModel, streams: RandomStreams) -> Tensor:
        """The stage-0 input of one iteration, (1, C, h, w)."""
