"""The option of objectives with a penalty on the critic's gradient at the real picture."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Options:
    """How flat the critic is held around the real picture."""

    r1: float = option(
        0.0, "objective", "weight of the critic's squared gradient at the real picture", low=0
    )
