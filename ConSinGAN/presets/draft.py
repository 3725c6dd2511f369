"""A first look, as large as this machine does in minutes."""

from __future__ import annotations

from ConSinGAN.presets.fitting import Fitting


class Draft(Fitting):
    """One of the mode's `drafts`."""

    name = "draft"
    summary = "a first look: the largest of a few settings that takes about four minutes here"
    longest = 240.0
    share = 1 / 12
    flag = "--draft"
