"""Options of tasks that a naive picture is given to."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Naive:
    """The naive picture."""

    naive_img: str | None = option(
        None, "task", "the naive composite, rough edit or painting", metavar="PATH"
    )


@dataclass(frozen=True, kw_only=True)
class Options(Naive):
    """The naive picture and what of it was edited."""

    mask: str | None = option(
        None, "task", "white where edited (default: <naive_img>_mask.* beside it)", metavar="PATH"
    )
