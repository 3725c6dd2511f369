"""Options of animations."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Options:
    """How long, how fast, how much moves, and whether it ends where it began."""

    num_frames: int = option(100, "task", "frames per animation", low=2)
    fps: int = option(
        10, "task", "frames per second, at most 50 in a GIF, else 120", low=1, high=120
    )
    moves_from: int | None = option(
        None, "task", "first stage that moves; 0 moves most (default: 0, 1 and 2, one after the "
        "other)", low=0, high=100, metavar="STAGE",
    )  # fmt: skip
    beta: float | None = option(
        None, "task", "smoothness of the walk (default: 0.8, 0.85, 0.9 and 0.95, one after the "
        "other)", low=0, high=1,
    )  # fmt: skip
    loop: bool = option(False, "task", "end every animation's walk where it began")
