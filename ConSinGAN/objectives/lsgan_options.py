"""Options of least squares."""

from __future__ import annotations

from ConSinGAN.objectives.r1_options import Options

__all__ = ["Options"]
