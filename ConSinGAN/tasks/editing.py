"""Turn a rough edit into a clean picture (paper appendix)."""

from __future__ import annotations

from ConSinGAN.tasks._composite import Composite


class Editing(Composite):
    """See `Composite`."""

    name = "editing"
    summary = "turns a rough edit of the picture into a clean one"
    result_name = "edited"
    paints = True
