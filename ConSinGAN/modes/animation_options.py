"""Options of training for animations."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Options:
    """What its previews show."""

    start_scale: int = option(0, "mode", "previews: first stage that moves", low=0)
