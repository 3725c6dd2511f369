"""Editing: turn a rough edit into a clean picture (paper appendix)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ConSinGAN.modes.composite import Composite

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.noise import Streams

NOISE = 0.1  # standard deviation of what is added to every stage-0 input


def _add_noise(picture: Tensor, streams: Streams) -> Tensor:
    from ConSinGAN.noise import draw

    return picture + NOISE * draw(picture.shape, streams.noise)


class Editing(Composite):
    """Learns to mend a picture whose tiles were moved a little."""

    name = "editing"
    summary = "turns a rough edit of the picture into a clean one"
    defaults = {"batch_norm": True, "niter": 1000, "input_name": "Images/Editing/lake.png"}
    default_task = "editing"
    previews = ("samples", "editing")
    mask_radius = 20

    def fixed_input(self, real: Tensor, streams: Streams) -> Tensor:
        return _add_noise(real, streams)

    def augment(self, real: Tensor, streams: Streams) -> Tensor:
        from ConSinGAN import augment

        return _add_noise(augment.random_shuffle(real, streams.augmentation), streams)

    def naive_input(self, naive: Tensor, streams: Streams) -> Tensor:
        return _add_noise(naive, streams)
