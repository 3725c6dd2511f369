"""The picture at other sizes and aspect ratios (paper appendix)."""

from __future__ import annotations

from ConSinGAN.tasks.samples import Samples


class Retarget(Samples):
    """As `Samples`: what differs is how the model was trained, with borders that it knows."""

    name = "retarget"
    summary = "the picture at other sizes and aspect ratios"
