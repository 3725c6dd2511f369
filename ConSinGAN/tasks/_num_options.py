"""The option of tasks that draw several pictures."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Num:
    """How many."""

    num_samples: int = option(50, "task", "random samples per size", low=1)
