"""Options of the WGAN objective."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Options:
    """How small the critic's weights are held."""

    clip: float = option(
        0.01, "objective", "bound of the critic's weights, kept after each of its steps", above=0
    )
