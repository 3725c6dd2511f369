"""Options of retargeting: those of random samples."""

from ConSinGAN.tasks.samples_options import Options

__all__ = ["Options"]
