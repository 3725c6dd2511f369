"""Options of SinGAN's generator, and what it asks of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ConSinGAN.errors import UsageError
from ConSinGAN.generators.norm_options import Normalised
from ConSinGAN.generators.recipe import Recipe, Spacing
from ConSinGAN.options import field_of, option


@dataclass(frozen=True, kw_only=True)
class Options(Normalised, Recipe):
    """How many stages there are, and what they consist of."""

    scale_factor: float = option(
        0.75, "generator",
        "size of a stage by that of the next, about: decides how many there are, if --train_stages "
        "does not",
        low=0.1, high=0.95,
    )  # fmt: skip

    methods: ClassVar[Mapping[str, str]] = {"adversarial": "successive"}
    counts_stages: ClassVar[bool] = True

    def check(self, config: Any, mode: Any) -> None:
        if mode.method not in self.methods:
            raise UsageError(
                f"`train_mode` {mode.name}: `generator` singan draws its pictures from noise, "
                "stage by stage, and cannot learn what shall become of which; leave it away"
            )
        if mode.hides:
            raise UsageError(
                f"`train_mode` {mode.name}: `generator` singan draws whole pictures from noise, "
                "and cannot go on from what is around a hole; leave it away"
            )
        if config.train_depth != 1:
            raise UsageError(
                f"`train_depth` {config.train_depth}: each stage of `generator` singan is a "
                "network of its own, and those below the last are frozen; leave it away"
            )

    def idle(self, config: Any) -> Mapping[str, str]:
        return {"lr_scale": "each stage is trained alone"}

    def spacing(self, of_mode: Spacing) -> Spacing:
        from ConSinGAN.pyramid import geometric_scales

        return geometric_scales

    def num_stages(self, size: tuple[int, int], config: Any) -> int:
        """As many as scale_factor wants from the file's size to the coarsest stage's.

        Those that `max_size` makes unnecessary are left out. After Shaham et al. 2019 and their
        code; the factor that is used is then refitted, so that the coarsest stage has min_size.
        Raises UsageError if they are too many.
        """

        def steps(scale: float) -> int:
            return math.ceil(math.log(scale, self.scale_factor))

        all_stages = steps(config.min_size / min(size)) + 1
        last = all_stages - steps(min(config.max_size, max(size)) / max(size))
        number, most = max(last, 1) + 1, field_of(type(config), "train_stages").metadata["high"]
        if number > most:
            raise UsageError(
                f"`scale_factor` {self.scale_factor:g}: makes {number} stages of this picture, and "
                f"{most} are the most; take a smaller one"
            )
        return number
