"""Blend what was pasted into the picture's style (paper section 4.2)."""

from __future__ import annotations

from ConSinGAN.tasks._composite import Composite


class Harmonization(Composite):
    """See `Composite`."""

    name = "harmonization"
    summary = "blends what was pasted into the picture"
    result_name = "harmonized"
