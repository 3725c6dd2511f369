"""One picture, as in the paper: the mode says what enters stage 0."""

from __future__ import annotations

from torch import Tensor

from ConSinGAN.config import TrainConfig
from ConSinGAN.model import ImageModel
from ConSinGAN.naive import Naive
from ConSinGAN.noise import RandomStreams
from ConSinGAN.resize import resize
from ConSinGAN.sources.base import Source


class Single(Source):
    """The training picture alone; a naive one only for previews."""

    name = "single"

    def __init__(self, config: TrainConfig, naive: Naive | None = None) -> None:
        self.naive = naive

    def draw_input(self, model: ImageModel, streams: RandomStreams) -> Tensor:
        return model.mode.draw_input(model.coarsest, streams)


class FineTuning(Source):
    """The naive picture enters stage 0, the training picture is what shall come out."""

    def __init__(self, config: TrainConfig, naive: Naive) -> None:
        self.naive: Naive = naive
        self._coarsest: Tensor | None = None

    def draw_input(self, model: ImageModel, streams: RandomStreams) -> Tensor:
        if self._coarsest is None:
            self._coarsest = resize(self.naive.picture, size=model.sizes[0]).to(model.device)
        return model.mode.naive_input(self._coarsest, streams)
