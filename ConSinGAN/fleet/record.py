"""What was measured of one trial of a sweep, kept in its run directory. Imports no torch."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ConSinGAN.atomic import write_atomic

NAME = "sweep.yaml"
SAMPLES = "sweep_samples.png"  # the first of the samples that were measured, side by side
NUM_SHOWN = 6  # of them


@dataclass
class Record:
    """The metrics of a trial's model, and those that were measured on the way.

    stages: of the metric that a scheduler asks for, after every stage but the last, from 1 on.
    num_samples, seed: of what was measured.
    """

    num_samples: int
    metrics: dict[str, float] = field(default_factory=dict)
    stages: dict[int, float] = field(default_factory=dict)
    seed: int = 0

    @classmethod
    def read(cls, run: Path, num_samples: int) -> Record:
        """That of a run directory; an empty one if there is none, or one of other samples."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
            content: Any = yaml.safe_load((run / NAME).read_text(encoding="utf-8"))
            metrics = {str(n): _finite(v) for n, v in content["metrics"].items()}
            stages = {int(n): _finite(v) for n, v in content["stages"].items()}
            if content["num_samples"] == num_samples:
                return cls(num_samples, metrics, stages, int(content["seed"]))
        return cls(num_samples)

    def write(self, run: Path) -> None:
        """Put it into a run directory."""
        content = {
            "num_samples": self.num_samples, "seed": self.seed, "metrics": self.metrics,
            "stages": self.stages,
        }  # fmt: skip
        write_atomic(run / NAME, yaml.safe_dump(content, sort_keys=False).encode())


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number
