"""The statistics of a whole drawing that per-picture norms need, gathered part by part.

What a norm sees depends on the norms before it. So there is one pass over the drawing for each of
them, in order: `Reached` ends the drawing of a part there, `Moments` adds up what the parts show.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

CHUNK = 2**21  # numbers that are added up at a time, in float64

Statistics = tuple[Tensor, Tensor]  # mean and biased variance of every channel, float32


class Reached(Exception):
    """The input (1, C, h, w) of the first norm whose statistics are not known yet."""

    def __init__(self, x: Tensor) -> None:
        super().__init__("statistics of the whole drawing are needed")
        self.x = x


@dataclass
class Norms:
    """The statistics of a drawing's norms that are known, in the order of the norms."""

    known: list[Statistics] = field(default_factory=list)

    def of(self, index: int, x: Tensor) -> Statistics:
        """Those of norm number `index`, whose input is x. Raises Reached if they are not known."""
        if index >= len(self.known):
            raise Reached(x)
        return self.known[index]


class WholeNorms(Norms):
    """Of a drawing that is drawn whole: added up as for tiles, so that both are the same.

    In bf16 torch's own batch norm adds up in ways that are off by enough to be seen: up to five
    levels of the pixels.
    """

    def of(self, index: int, x: Tensor) -> Statistics:
        """Those of x, (1, C, h, w)."""
        moments = Moments()
        moments.add(x)
        return moments.statistics(x.device)


class Moments:
    """Mean and variance of every channel, of maps that are shown one after the other.

    Chan, Golub, LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample
    variances"; in float64.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | float = 0.0
        self.squares: Tensor | float = 0.0  # sum of squared distances from the mean

    def add(self, x: Tensor) -> None:
        """Add the pixels of (1, C, h, w)."""
        num_rows = max(1, CHUNK // max(x.shape[1] * x.shape[3], 1))
        for rows in x[0].split(num_rows, dim=1):
            values = (rows.cpu() if rows.device.type == "mps" else rows).double()
            values = values.permute(1, 2, 0).reshape(-1, len(values))  # sums of rows are quick
            num, mean = len(values), values.mean(dim=0)
            variance = (values - mean).square_().mean(dim=0)
            count, away = self.count + num, mean - self.mean
            self.squares = self.squares + num * variance + away**2 * (self.count * num / count)
            self.mean = self.mean + away * (num / count)
            self.count = count

    def statistics(self, device: torch.device) -> Statistics:
        """What they are, float32. Raises ValueError if nothing was shown."""
        if not (isinstance(self.mean, Tensor) and isinstance(self.squares, Tensor)):
            raise ValueError("no pixels")
        variance = self.squares / self.count
        return self.mean.float().to(device), variance.float().to(device)
