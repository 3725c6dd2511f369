"""Retargeting: the picture at other sizes and aspect ratios (paper appendix)."""

from ConSinGAN.modes.base import Mode


class Retarget(Mode):
    """As generation, but zero padding tells the network where the picture's borders are."""

    name = "retarget"
    summary = "the picture at other sizes and aspect ratios"
    default_task = "retarget"
