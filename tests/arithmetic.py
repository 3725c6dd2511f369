"""How far float32 results may be from exact ones, whatever the processor's order of summation."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def summands(module: nn.Module) -> int:
    """How many products and biases are added up on the way through a chain of convolutions."""
    kernels = [m.weight[0] for m in module.modules() if isinstance(m, nn.Conv2d)]
    return sum(kernel.numel() + 1 for kernel in kernels)


def assert_rounded(actual: Tensor, exact: Tensor, terms: int) -> None:
    """Compare with the float64 result of sums of `terms` numbers in all.

    Adding up n numbers in any order errs by at most n unit roundoffs of the sum of their sizes
    (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2). That sum is taken to be
    of the size of the largest result, which the cancellation in random data may exceed; in return
    errors grow with the root of n rather than with n.
    """
    assert exact.dtype == torch.float64
    assert actual.dtype == torch.float32
    bound = terms * torch.finfo(torch.float32).eps * exact.abs().max().item()
    torch.testing.assert_close(actual.double(), exact, rtol=0, atol=bound)
