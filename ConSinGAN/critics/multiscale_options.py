"""Options of the critic that looks at several scales."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import Scope, option


@dataclass(frozen=True, kw_only=True)
class Options:
    """At how many scales it looks, and whether its features are compared, too."""

    critic_scales: int = option(
        3, "critic", "scales that the critic looks at: the picture, its half, its quarter, ...; as "
        "many as a stage's size allows", low=1, high=8, scope=Scope.ARCHITECTURE,
    )  # fmt: skip
    feature_matching: float = option(
        0.0, "critic", "weight, for the generator, of the distance of the reconstruction from the "
        "picture in the critic's features; pix2pixHD takes 10", low=0,
    )  # fmt: skip
