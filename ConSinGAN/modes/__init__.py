"""The modes of ConSinGAN, one file each; a file dropped here is found without being listed."""

from __future__ import annotations

import importlib
import pkgutil

from ConSinGAN.errors import UsageError
from ConSinGAN.modes.base import Mode

_registry: dict[str, Mode] = {}


def _discover() -> dict[str, Mode]:
    """Import every module in this folder once and collect the Mode classes that have a name."""
    if not _registry:
        for info in pkgutil.iter_modules(__path__, prefix=f"{__name__}."):
            module = importlib.import_module(info.name)
            for value in vars(module).values():
                own = isinstance(value, type) and value.__module__ == module.__name__
                if own and issubclass(value, Mode) and value.name:
                    if value.name in _registry:
                        raise TypeError(f"two modes are called {value.name!r}")
                    _registry[value.name] = value()
    return _registry


def all_modes() -> list[Mode]:
    """One instance of every mode, by rank and name."""
    return sorted(_discover().values(), key=lambda mode: (mode.rank, mode.name))


def names() -> tuple[str, ...]:
    """The names of all modes."""
    return tuple(mode.name for mode in all_modes())


def get(name: str) -> Mode:
    """The mode of that name. Raises UsageError if there is none."""
    if name not in _discover():
        raise UsageError(f"--train_mode must be one of {', '.join(names())}; not {name!r}")
    return _discover()[name]
