"""Options of ConSinGAN's generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ConSinGAN.generators.norm_options import Normalised
from ConSinGAN.generators.recipe import Recipe
from ConSinGAN.options import Scope, option


@dataclass(frozen=True, kw_only=True)
class Options(Normalised, Recipe):
    """What its blocks consist of, and how new ones come in."""

    fade_in: float = option(
        0.0, "generator",
        "share of a new stage's iterations over which what it adds grows from nothing to all; 0: "
        "all from the first on",
        low=0, high=1,
    )  # fmt: skip
    skip_excitation: bool = option(
        False, "generator", "let an earlier stage's features weigh the channels that a stage adds",
        negatable=True, scope=Scope.ARCHITECTURE,
    )  # fmt: skip

    def idle(self, config: Any) -> Mapping[str, str]:
        return {"fade_in": "no stage is new"} if config.fine_tune else {}
