"""The option of tasks that draw several pictures."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import Scope, option


@dataclass(frozen=True, kw_only=True)
class Num:
    """How many, and which."""

    num_samples: int = option(50, "task", "random samples per size", low=1, scope=Scope.HARMLESS)
    first: int = option(
        0, "task", "number of the first sample; each is the same in any series", low=0,
        scope=Scope.HARMLESS,
    )  # fmt: skip

    @property
    def numbers(self) -> range:
        """Which of the endless series that the seed stands for."""
        return range(self.first, self.first + self.num_samples)
