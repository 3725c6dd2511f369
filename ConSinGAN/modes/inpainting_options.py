"""Options of training for inpainting."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import Scope, option


@dataclass(frozen=True, kw_only=True)
class Options:
    """What of the picture is hidden."""

    mask: str | None = option(
        None, "mode",
        "white where the picture shall be drawn anew (default: <input_name>_mask.* beside it)",
        metavar="PATH", scope=Scope.RUN,
    )  # fmt: skip
