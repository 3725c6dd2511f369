"""Options of tasks that a naive picture is given to."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Options:
    """The naive picture and what of it was edited."""

    naive_img: str | None = option(
        None, "task", "the naive composite or rough edit", metavar="PATH"
    )
    mask: str | None = option(
        None, "task", "white where edited (default: <naive_img>_mask.* beside it)", metavar="PATH"
    )
