"""An option of generators whose blocks may have norms."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import Scope, option


@dataclass(frozen=True, kw_only=True)
class Normalised:
    """What its blocks consist of."""

    batch_norm: bool = option(
        False, "generator", "batch normalisation in the generator", negatable=True,
        scope=Scope.ARCHITECTURE,
    )  # fmt: skip
