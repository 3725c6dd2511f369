"""An option that tasks share which draw pictures of any size."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large."""

    size: tuple[int, int] | None = option(
        None, "task", "draw pictures of this size, pixels", low=1, high=32768, metavar=("H", "W")
    )
