"""Options of the hinge objective."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.objectives import r1_options
from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Options(r1_options.Options):
    """How sure the critic has to be."""

    label_smoothing: float = option(
        0.0, "objective",
        "draw the margin of every critic step from [1 - X, 1] (FastGAN: 0.2)", low=0, high=1,
    )  # fmt: skip
