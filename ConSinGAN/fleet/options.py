"""The flags that all commands of the fleet share. Imports neither torch nor Ray."""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ConSinGAN.errors import UsageError
from ConSinGAN.options import add_flag, check_value, option

ADDRESS = re.compile(r"auto|(ray://)?[^\s:/]+:[0-9]{1,5}")


@dataclass(frozen=True, kw_only=True)
class FleetConfig:
    """Where the work is done, and how much of it at once."""

    workers: int | None = option(
        None, "fleet",
        "how many at once (default: as many as there are cores, or places on cards)",
        low=1, high=100_000, metavar="N",
    )  # fmt: skip
    threads_per_run: int = option(
        1, "fleet", "threads of each; more do not make many pictures quicker", low=1, high=1024
    )
    gpus_per_run: float | None = option(
        None, "fleet",
        "cards for each: 0.25 lets four share one (default: 1 if there are any, else 0)",
        low=0, high=64, metavar="X",
    )  # fmt: skip
    address: str | None = option(
        None, "fleet",
        "the Ray cluster to use: auto or HOST:PORT (default: this machine alone, on loopback)",
        metavar="auto|HOST:PORT",
    )  # fmt: skip
    scratch: str | None = option(
        None, "fleet",
        "if output_dir is an object store: the folder, on every machine, in which runs are while "
        "they are worked at (default: where the system keeps temporary files)", metavar="DIR",
    )  # fmt: skip


# Flags of training and of evaluation that a fleet gives itself, and what to type instead.
OURS = {
    "threads": "here it is `threads_per_run`",
    "gpu": "Ray hands the cards out, `gpus_per_run` of one to each",
}


def refuse(flags: Mapping[str, Any], instead: Mapping[str, str]) -> None:
    """Raise UsageError if one of these flags is there; instead: what to do, by name."""
    for name, text in instead.items():
        if name in flags:
            raise UsageError(f"`{name}` is not for a fleet: {text}")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the fleet's flags to a parser."""
    group = parser.add_argument_group("fleet")
    for field in dataclasses.fields(FleetConfig):
        add_flag(group, FleetConfig, field.name)


def split(flags: Mapping[str, Any]) -> tuple[FleetConfig, dict[str, Any]]:
    """The fleet's options, checked, and all others.

    Raises UsageError, with one line that names the flag.
    """
    own = {field.name for field in dataclasses.fields(FleetConfig)}
    values = {name: check_value(FleetConfig, name, v) for name, v in flags.items() if name in own}
    address = values.get("address")
    if address is not None and not ADDRESS.fullmatch(address):
        raise UsageError(f"`address` takes auto or HOST:PORT, not {address!r}")
    if flags.get("not_cuda"):
        values.setdefault("gpus_per_run", 0.0)
    return FleetConfig(**values), {name: v for name, v in flags.items() if name not in own}


def in_full(path: Path) -> Path:
    """The absolute path, the same from any folder; what it names may be a link."""
    return path.parent.resolve() / path.name if path.name != ".." else path.resolve()
