"""Unconditional generation: random pictures like the training picture (paper section 4.1)."""

from ConSinGAN.modes.base import Mode


class Generation(Mode):
    """Noise in, picture out; borders are upsampled rather than padded."""

    name = "generation"
    summary = "random variations of the picture, at any size"
    border = "noise"
