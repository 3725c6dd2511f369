"""Options of inpainting."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option
from ConSinGAN.tasks._num_options import Num


@dataclass(frozen=True, kw_only=True)
class Options(Num):
    """How many fills, and how large."""

    full_size: bool = option(
        False, "task", "put the fill into the training picture at the size that it was read in"
    )
