"""CUDA graphs: replay a whole training iteration as one launch.

The coarse stages are so small that a GPU spends its time waiting for the processor to launch
kernels. Recorded once, an iteration is replayed without Python in between.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

log = logging.getLogger(__name__)

Chance = Mapping[str, Tensor]
Step = Callable[[list[Tensor], Chance], dict[str, Tensor]]


class GraphedStep:
    """Stands in for `step(noise, chance)`; same results, recorded after a few plain calls.

    Learning rates are constants of a recording, so it is renewed when the schedule changes them.
    If recording fails, one line says so and the plain step goes on serving.
    """

    WARM_UP = 3  # plain calls in which libraries settle and Adam makes its state

    def __init__(self, step: Step, optimizers: Sequence[Optimizer]) -> None:
        self.step, self.optimizers = step, optimizers
        self.calls, self.broken = 0, False
        self.graph: torch.cuda.CUDAGraph | None = None
        self.rates: list[float] = []

    def __call__(self, noise: list[Tensor], chance: Chance) -> dict[str, Tensor]:
        self.calls += 1
        if self.broken:
            return self.step(noise, chance)
        if self.calls <= self.WARM_UP:
            return self._on_side_stream(noise, chance)
        rates = [group["lr"] for o in self.optimizers for group in o.param_groups]
        graph = self.graph
        if graph is None or rates != self.rates:
            try:
                graph = self._record(noise, chance)
            except RuntimeError as error:
                log.info("no CUDA graph, going on without: %s", str(error).splitlines()[0])
                self.graph, self.broken = None, True
                return self.step(noise, chance)
            self.rates = rates
        for static, value in zip(self.inputs, [*noise, *chance.values()], strict=True):
            static.copy_(value)
        graph.replay()
        return self.outputs

    def _on_side_stream(self, noise: list[Tensor], chance: Chance) -> dict[str, Tensor]:
        """A plain call off the default stream, as recording wants its predecessors."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            result = self.step(noise, chance)
        torch.cuda.current_stream().wait_stream(stream)
        return result

    def _record(self, noise: list[Tensor], chance: Chance) -> torch.cuda.CUDAGraph:
        """Record one step without executing it."""
        self.graph = None  # frees the memory of the last recording
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        self.inputs = [value.clone() for value in (*noise, *chance.values())]
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            static = dict(zip(chance, self.inputs[len(noise) :], strict=True))
            self.outputs = self.step(self.inputs[: len(noise)], static)
        self.graph = graph
        return graph
