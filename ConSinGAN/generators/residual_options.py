"""Options of the residual generator: those of ConSinGAN's."""

from ConSinGAN.generators.consingan_options import Options

__all__ = ["Options"]
