"""Options of animations."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Options:
    """How long, how fast, and whether it ends where it began."""

    num_frames: int = option(100, "task", "frames per animation", low=2)
    fps: int = option(
        10, "task", "frames per second, at most 50 in a GIF, else 120", low=1, high=120
    )
    loop: bool = option(False, "task", "end every animation's walk where it began")
