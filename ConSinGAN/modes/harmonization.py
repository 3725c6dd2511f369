"""Harmonization: blend a pasted object into the picture's style (paper section 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ConSinGAN.modes.composite import Composite

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.noise import Streams


class Harmonization(Composite):
    """Learns to undo colour changes and holes; stages are few, large and evenly spaced."""

    name = "harmonization"
    summary = "blends what was pasted into the picture"
    defaults = {
        "input_name": "Images/Harmonization/ink_palace.jpg",
        "train_stages": 3,
        "min_size": 120,
        "lrelu_alpha": 0.3,
        "niter": 1000,
        "batch_norm": True,
    }
    drafts = (
        {"max_size": 100, "min_size": 50, "niter": 100},
        {"max_size": 130, "min_size": 60, "niter": 200},
        {"max_size": 170, "min_size": 80, "niter": 300},
    )
    default_task = "harmonization"
    previews = ("samples", "harmonization")
    takes_content = True
    mask_radius = 7

    def spacing(self, factor: float, num_stages: int) -> list[float]:
        from ConSinGAN import pyramid

        return pyramid.geometric_scales(factor, num_stages)

    def augment(self, real: Tensor, streams: Streams) -> Tensor:
        from ConSinGAN import augment

        return augment.photometric_and_holes(real, streams.augmentation)
