"""Options of the critic that rebuilds real pictures."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much rebuilding counts."""

    rebuilding: float = option(
        1.0, "critic", "weight, for the critic, of the error with which the real picture is "
        "rebuilt from its features", low=0,
    )  # fmt: skip
