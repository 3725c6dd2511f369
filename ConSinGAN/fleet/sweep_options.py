"""The flags that are a sweep's own. Imports neither torch nor Ray."""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ConSinGAN.errors import UsageError
from ConSinGAN.options import add_flag, check_value, option

# What can be measured without weights of other networks, and is better the smaller it is.
METRICS = ("sliced_wasserstein", "coherence", "completeness", "copying", "reconstruction")
SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
SPAN = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?[dhms])+")
PART = re.compile(r"([0-9.]+)([dhms])")


@dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """How often every setting is tried, how it is judged, and when to stop."""

    seeds: int = option(
        2, "sweep", "how many seeds each setting is trained with, from `manualSeed` (0) on",
        low=1, high=10_000,
    )  # fmt: skip
    num_samples: int = option(
        50, "sweep", "samples of each model that are measured", low=2, high=10_000
    )
    minimise: str = option(
        METRICS[0], "sweep", "the metric by which the best setting is chosen", choices=METRICS
    )
    scheduler: str | None = option(
        None, "sweep",
        "asha: measure after every stage, and train on only with the better half of the settings",
        choices=("asha",),
    )  # fmt: skip
    budget: str | None = option(
        None, "sweep",
        "stop after such a time, with what is there then; the same command goes on (30s, 90m, 2h)",
        metavar="TIME",
    )  # fmt: skip

    @property
    def seconds(self) -> float | None:
        """The budget."""
        return None if self.budget is None else read_span(self.budget)


OWN = tuple(field.name for field in dataclasses.fields(SweepConfig))


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add a sweep's flags to a parser."""
    group = parser.add_argument_group("sweep")
    group.add_argument(
        "--grid", nargs="+", action="extend", metavar="OPTION=VALUES",
        help="options of training and their values: lr_scale=0.1,0.3 train_stages=5:8 (5 to 8)",
    )  # fmt: skip
    for name in OWN:
        add_flag(group, SweepConfig, name)


def split(flags: Mapping[str, Any]) -> tuple[SweepConfig, dict[str, Any]]:
    """A sweep's options, checked, and all others.

    Raises UsageError, with one line that names the flag.
    """
    values = {n: check_value(SweepConfig, n, v) for n, v in flags.items() if n in OWN}
    if values.get("budget") is not None:
        read_span(values["budget"])
    return SweepConfig(**values), {n: v for n, v in flags.items() if n not in OWN}


def about(config: SweepConfig) -> dict[str, Any]:
    """What must be the same when a sweep goes on; by which metric it is ranked need not."""
    same: dict[str, Any] = {"seeds": config.seeds, "num_samples": config.num_samples}
    if config.scheduler is not None:
        same["scheduler"] = f"{config.scheduler} by {config.minimise}"
    return same


def read_span(text: str) -> float:
    """Seconds of 30s, 90m, 2h, 1d or 1h30m. Raises UsageError."""
    if not SPAN.fullmatch(text):
        raise UsageError(f"`budget` takes a time such as 30s, 90m, 2h or 1h30m, not {text!r}")
    seconds = sum(float(number) * SECONDS[unit] for number, unit in PART.findall(text))
    if seconds <= 0:
        raise UsageError(f"`budget` {text}: must be more than nothing")
    return seconds
