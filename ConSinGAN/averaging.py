"""A running average of weights, which draws in the end if a run asks for it (`average`).

Single steps of training are noisy, their average is less so. It lies beside Adam's moments and is
saved and restored with them.
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer

KEY = "average"  # in what the optimizer keeps of a weight


@torch.no_grad()
def update(optimizer: Optimizer, decay: float, done: int) -> None:
    """Let the averages take in the optimizer's weights as they are now.

    avg <- d avg + (1 - d) w. done: iterations so far; d is at most done / (done + 9): an early
    average forgets sooner, or it would remember the beginning.
    """
    weights = list(optimizer.state)  # those that have moved
    for weight in weights:
        if KEY not in optimizer.state[weight]:
            optimizer.state[weight][KEY] = weight.detach().clone()
    averages = [optimizer.state[weight][KEY] for weight in weights]
    torch._foreach_lerp_(averages, weights, 1 - min(decay, done / (done + 9)))


@torch.no_grad()
def take(optimizer: Optimizer) -> None:
    """Let the weights be their averages."""
    for weight, kept in optimizer.state.items():
        weight.copy_(kept[KEY])
