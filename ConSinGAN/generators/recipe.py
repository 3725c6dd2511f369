"""What a generator asks of the rest of a run, said without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

Spacing = Callable[[float, int], list[float]]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Asks for nothing. A generator's `Options` may inherit from this and ask for more.

    methods: what an iteration is where the mode says what; if it is the mode's, it is left out.
    counts_stages: whether `num_stages` says anything.
    """

    methods: ClassVar[Mapping[str, str]] = {}
    counts_stages: ClassVar[bool] = False

    def method(self, of_mode: str) -> str:
        """The name of what an iteration is; of_mode: what the mode says."""
        return self.methods.get(of_mode, of_mode)

    def check(self, config: Any, mode: Any) -> None:
        """Raise UsageError, naming the flag, if the generator cannot do what is asked for."""
        return

    def idle(self, config: Any) -> Mapping[str, str]:
        """Options that do nothing in such a run; the words after "where" that say why."""
        return {}

    def spacing(self, of_mode: Spacing) -> Spacing:
        """How scales of stages are spaced (see `pyramid`); of_mode: what the mode says."""
        return of_mode

    def num_stages(self, size: tuple[int, int], config: Any) -> int:
        """The number of stages for a picture of `size` (H, W) if nobody has said how many."""
        return config.train_stages
