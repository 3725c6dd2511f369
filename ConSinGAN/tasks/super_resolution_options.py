"""Options of super-resolution."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option
from ConSinGAN.tasks._tile_options import TileOptions


@dataclass(frozen=True, kw_only=True)
class Options(TileOptions):
    """What is done to the model's picture for the sake of the input."""

    self_ensemble: bool = option(
        True, "task", "mean of what the model makes of the picture in all eight orientations"
    )
    back_projection: bool = option(
        True, "task", "make the result, when it is reduced, the picture that entered"
    )
