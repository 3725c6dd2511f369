"""What modes share that are trained on parts of the picture."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Crop:
    """How much an iteration looks at."""

    crop: int = option(
        64, "mode", "side of the crops that an iteration looks at, pixels", low=16, high=4096
    )
