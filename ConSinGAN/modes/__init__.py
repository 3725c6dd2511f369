"""The modes of ConSinGAN, one file each; a file dropped here is found without being listed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ConSinGAN.registry import MODES

if TYPE_CHECKING:
    from ConSinGAN.modes.base import Mode


@cache
def get(name: str) -> Mode:
    """The mode of that name. Raises UsageError if there is none."""
    return MODES.load(name)()


def names() -> tuple[str, ...]:
    """The names of all modes."""
    return MODES.names()


def all_modes() -> list[Mode]:
    """One instance of every mode."""
    return [get(name) for name in names()]
