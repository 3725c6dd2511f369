"""The configuration of an evaluation: frozen dataclasses whose fields are the flags.

This module imports neither torch nor numpy, so `--help` is quick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ConSinGAN.config import DeviceConfig, ModelConfig, check_device
from ConSinGAN.errors import UsageError
from ConSinGAN.options import build, option


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
    """What to draw from a trained model; which of these apply depends on the model's mode."""

    model_dir: str | None = option(None, "run", "run directory of the trained model", metavar="DIR")
    output_dir: str | None = option(
        None, "run", "where to write (default: Evaluation in the run directory)", metavar="DIR"
    )
    format: str = option("png", "run", "file format of the pictures", choices=("png", "jpg"))

    num_samples: int = option(50, "samples", "random samples per size", low=1)
    scale_h: float | None = option(
        None, "samples", "height factor of the samples", above=0, high=100
    )
    scale_w: float | None = option(
        None, "samples", "width factor of the samples", above=0, high=100
    )
    size: tuple[int, int] | None = option(
        None, "samples", "draw samples of this size, pixels", low=1, high=32768,
        metavar=("H", "W"),
    )  # fmt: skip

    metrics: bool = option(
        False, "metrics", "write no samples but their metrics, to Evaluation/metrics.yaml"
    )

    num_frames: int = option(100, "animation", "frames per GIF", low=2)
    fps: int = option(
        10, "animation", "frames per second, at most 50", low=1, high=50,
        too_high="a GIF cannot show more than 50 frames per second; give 50 or fewer",
    )  # fmt: skip
    loop: bool = option(False, "animation", "end every GIF's walk where it began")

    naive_img: str | None = option(
        None, "composites", "the naive composite or rough edit", metavar="PATH"
    )
    mask: str | None = option(
        None, "composites", "white where edited (default: <naive_img>_mask.* beside it)",
        metavar="PATH",
    )  # fmt: skip


def prepare_evaluation(flags: Mapping[str, Any]) -> EvalConfig:
    """Check typed flags as a whole. Raises UsageError with one line that names the flag."""
    config = build(EvalConfig, flags)
    check_device(config)
    if config.model_dir is None:
        raise UsageError("--model_dir is needed: the run directory of a trained model")
    if config.inception_weights is not None and not config.metrics:
        raise UsageError("--inception_weights is for the metrics: add --metrics or leave it away")
    if config.size is not None and (config.scale_h is not None or config.scale_w is not None):
        raise UsageError("--size and --scale_h/--scale_w exclude each other")
    return config
