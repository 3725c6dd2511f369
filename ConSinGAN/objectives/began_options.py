"""Options of the BEGAN objective."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the equilibrium is."""

    began_gamma: float = option(
        0.7, "objective",
        "diversity: the fakes' error in that of the real picture, at the equilibrium",
        low=0, high=1,
    )  # fmt: skip
