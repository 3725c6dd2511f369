"""Options of editing: the naive picture and its mask."""

from ConSinGAN.tasks._composite_options import Options

__all__ = ["Options"]
