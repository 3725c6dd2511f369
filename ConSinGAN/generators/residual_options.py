"""Options of the residual generator."""

from ConSinGAN.generators.norm_options import Normalised as Options

__all__ = ["Options"]
