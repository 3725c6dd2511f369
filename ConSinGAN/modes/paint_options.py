"""Options of training for paintings."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import Scope, option


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a painting consists of."""

    paint_colours: int = option(
        8, "mode", "colours of a painting", low=2, high=64, scope=Scope.ARCHITECTURE
    )
