"""Options of painting: the painting, and how large."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.tasks._composite_options import Naive
from ConSinGAN.tasks._size_options import Size


@dataclass(frozen=True, kw_only=True)
class Options(Naive, Size):
    """The painting, of any shape, and the size of what is made of it."""
