"""Options of the WGAN-GP objective."""

from __future__ import annotations

from dataclasses import dataclass

from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Options:
    """How strongly the critic's gradient is held at length 1."""

    lambda_grad: float = option(0.1, "objective", "weight of the gradient penalty", low=0)
