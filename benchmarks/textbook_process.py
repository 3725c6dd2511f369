"""The textbook's iterations in a process of their own, as the paper's code would run them.

`TextbookProcess` starts this file with the environment that the benchmark was started in; it
imports nothing of the toolkit, so that no setting of the toolkit's helps or hinders it. Both sides
stay alive, and a pipe hands the turn from one to the other: who waits, sleeps in a read.
"""

from __future__ import annotations

import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

SETTLE = 0.05  # seconds after a turn, in which threads of the one who was on fall asleep


class TextbookProcess:
    """The textbook in another process; use as a context manager."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=dict(environment),
        )  # fmt: skip

    def ask(self, command: str, *arguments: Any) -> Any:
        """Hand over the turn, and return what the method `command` of `Textbook` does."""
        time.sleep(SETTLE)
        pickle.dump((command, arguments), self.process.stdin)
        self.process.stdin.flush()
        try:
            return pickle.load(self.process.stdout)
        except EOFError:
            sys.exit("the textbook's process ended early")

    def __enter__(self) -> TextbookProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.process.stdin.close()
        self.process.wait()


class Textbook:
    """What the process can be asked for."""

    def prepare(self, setup: Mapping[str, Any]) -> None:
        """Take over pictures, weights and noise of a stage (`Stage.setup`)."""
        import textbook

        self.setup, self.device = setup, setup["device"]
        generator = textbook.TextbookGenerator(num_stages=setup["stage"] + 1)
        generator.load_state_dict(setup["generator"])
        critic = textbook.TextbookCritic()
        critic.load_state_dict(setup["critic"])
        self.generator, self.critic = generator.to(self.device), critic.to(self.device)
        self.optimizers = textbook.make_optimizers(self.generator, self.critic, setup["stage"], 3)
        self.fixed = [z.to(self.device).contiguous() for z in setup["fixed_noise"]]
        self.real = setup["real"].to(self.device)

    def losses(self, noise: list, coefficients: list[float]) -> dict[str, float]:
        """The losses of one iteration on given noise."""
        noise = [z.to(self.device) for z in noise]
        return {name: float(v) for name, v in self._iterate(noise, coefficients).items()}

    def _iterate(self, noise: list, coefficients: list[float]) -> dict:
        import textbook

        setup = self.setup
        return textbook.iterate(
            self.generator, self.critic, *self.optimizers, self.real, noise, self.fixed,
            setup["sizes"], setup["noise_amp"], coefficients,
        )  # fmt: skip

    def seconds(self, times: int) -> float:
        """Mean wall-clock seconds of one iteration, noise included."""
        import torch

        start = time.perf_counter()
        for _ in range(times):
            shapes = self.setup["noise_shapes"]
            noise = [torch.randn(shape, device=self.device) for shape in shapes]
            self._iterate(noise, torch.rand(3).tolist())
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return (time.perf_counter() - start) / times

    def sampling_seconds(self, num_samples: int) -> float:
        """Mean wall-clock seconds of a picture drawn and written."""
        import textbook

        setup = self.setup
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            textbook.save_samples(
                self.generator, setup["sizes"], setup["noise_shapes"], setup["noise_amp"],
                Path(folder), num_samples,
            )  # fmt: skip
            return (time.perf_counter() - start) / num_samples

    def peak_memory(self) -> int:
        """Peak resident memory so far, KiB."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def serve() -> None:
    """Answer until the other side closes the pipe."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not come between the answers
    side = Textbook()
    while True:
        try:
            command, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(getattr(side, command)(*arguments), answers)
        answers.flush()


if __name__ == "__main__":
    serve()
