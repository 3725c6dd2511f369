"""The configuration of an evaluation: frozen dataclasses whose fields are the flags.

What the task adds lies in `parts`, see `owners`. This module imports neither torch nor numpy, so
`--help` and wrong flags are answered at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ConSinGAN.config import DeviceConfig, ModelConfig
from ConSinGAN.options import option
from ConSinGAN.owners import Schema
from ConSinGAN.registry import TASKS

STILLS = ("png", "jpg", "tif")
PARTWISE = ("png", "tif")  # of these, which can be written from top to bottom
MOVIES = ("gif", "mp4", "webm", "apng")


@dataclass(frozen=True, kw_only=True)
class MetricsConfig(DeviceConfig):
    """How to compare pictures."""

    seed: int = option(0, "run", "random seed", low=0, high=2**63 - 1, metavar="N")
    inception_weights: str | None = option(
        None, "metrics",
        "weights of torchvision's Inception-v3, for SIFID (default: torchvision's cache)",
        metavar="FILE",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class EvalConfig(MetricsConfig, ModelConfig):
    """What to ask of a trained model, and where to write it."""

    model_dir: str | None = option(None, "run", "run directory of the trained model", metavar="DIR")
    task: str | None = option(
        None, "run", "what to draw (default: what the model was trained for)",
        choices=TASKS.names(),
    )  # fmt: skip
    output_dir: str | None = option(
        None, "run", "where to write (default: Evaluation in the run directory)", metavar="DIR"
    )
    format: str = option(
        "png", "run",
        "file format: png, jpg or tif of stills (moving pictures become GIFs), the others of what "
        "moves",
        choices=(*STILLS, *MOVIES),
    )  # fmt: skip
    metrics: bool = option(
        False, "metrics", "write no pictures but their metrics, to Evaluation/metrics.yaml"
    )
    parts: dict[str, Any] = field(default_factory=dict)  # Options of the task

    def options_of(self, family: str) -> Any:
        """The `Options` of the task; None if it has none."""
        return self.parts.get(family)

    @property
    def still_format(self) -> str:
        """The file format of stills."""
        return self.format if self.format in STILLS else "png"

    @property
    def movie_format(self) -> str:
        """The file format of what moves."""
        return self.format if self.format in MOVIES else "gif"


SCHEMA = Schema(EvalConfig, {"task": TASKS})
METRICS_SCHEMA = Schema(MetricsConfig, {})
