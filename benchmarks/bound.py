"""How close is an iteration to what its convolutions cost alone, each in its fastest form?

The calls of one iteration are counted by kind and shape. Each is then timed in every form that
torch or the toolkit has, and the bound is the sum of the best times.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from stages import Stage, seconds
from torch import Tensor

from ConSinGAN import layers
from ConSinGAN.config import TrainConfig
from ConSinGAN.fast import convolution, local_critic, weight_gradient


class Call(NamedTuple):
    """A call of one of the three operators, found by name in `layers` and `local_critic`."""

    kind: str
    x: tuple[int, ...]  # input; of `transposed` the gradient
    weight: tuple[int, ...]
    padding: int


OPERATORS = {
    "convolve": convolution.convolve,
    "transposed": convolution.transposed,
    "parameter_gradients": weight_gradient.parameter_gradients,
}


@contextmanager
def counting(calls: Counter[Call]) -> Iterator[None]:
    """Count the operators' calls."""

    def counted(kind: str) -> Callable:
        def operator(x: Tensor, *rest: object) -> object:
            tensors = [r for r in rest if isinstance(r, Tensor)]
            weight = tensors[1 if kind == "parameter_gradients" else 0]
            padding = rest[-1] if isinstance(rest[-1], int) else 0
            calls[Call(kind, tuple(x.shape), tuple(weight.shape), padding)] += 1
            return OPERATORS[kind](x, *rest)

        return operator

    try:
        for kind in OPERATORS:
            for module in (layers, local_critic):
                setattr(module, kind, counted(kind))
        yield
    finally:
        for kind, operator in OPERATORS.items():
            for module in (layers, local_critic):
                setattr(module, kind, operator)


def forms(call: Call, dtype: torch.dtype) -> list[Callable[[], object]]:
    """Every way of making the call, on tensors of its own, channels last and planar."""
    last, planar = torch.channels_last, torch.contiguous_format
    ways: list[Callable[[], object]] = []
    for layout in (last, planar):
        x = torch.randn(call.x).to(dtype).contiguous(memory_format=layout)
        w = torch.randn(call.weight).to(dtype).contiguous(memory_format=layout)
        if call.kind == "convolve":
            bias = torch.randn(len(w)).to(dtype)
            ways.append(lambda x=x, w=w, b=bias: F.conv2d(x, w, b, padding=call.padding))
            if layout == last:
                ways.append(lambda x=x, w=w, b=bias: convolution.convolve(x, w, b, call.padding))
        elif call.kind == "transposed":
            back = call.weight[2] - 1 - call.padding
            flipped = w.flip(2, 3).transpose(0, 1).contiguous(memory_format=layout)
            ways.append(lambda x=x, w=w: F.conv_transpose2d(x, w, padding=call.padding))
            if back >= 0:
                ways.append(lambda x=x, w=flipped, p=back: F.conv2d(x, w, padding=p))
            if layout == last:
                ways.append(lambda x=x, w=w: convolution.transposed(x, w, call.padding))
        else:
            grad = torch.empty_like(F.conv2d(x, w, padding=call.padding)).normal_()
            all_forms = (
                [weight_gradient.whole, weight_gradient.bands]
                + [weight_gradient.products, weight_gradient.windows] * (layout == last)
            )  # fmt: skip
            ways += [
                lambda form=form, x=x, g=grad, w=w: form(x, g, w, call.padding)
                for form in all_forms
            ]
    return ways


def best_seconds(run: Callable[[], object], patience: float = 0.15) -> float:
    """The shortest of the calls that fit into `patience` seconds, at least two, after a first."""
    run()
    times: list[float] = []
    while len(times) < 2 or sum(times) < patience:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def compare_bound(device: torch.device, dtype: torch.dtype) -> None:
    """Print for every stage the iteration's time, the bound, and the bound's share."""
    print(f"{'stage':>5} {'iteration ms':>13} {'bound ms':>9} {'share':>6}")
    for index in range(TrainConfig().train_stages):
        stage = Stage(index, 250, device, dtype)
        calls: Counter[Call] = Counter()
        run = stage.run()
        run()
        with counting(calls):
            run()
        whole = min(seconds(run, 1, device) for _ in range(3 if index > 3 else 10))
        bound = sum(n * min(map(best_seconds, forms(c, dtype))) for c, n in calls.items())
        print(f"{index:>5} {whole * 1e3:>13.1f} {bound * 1e3:>9.1f} {bound / whole:>6.0%}",
              flush=True)  # fmt: skip
