"""What older versions wrote, in the words of this one.

Format 1: configurations are one list of options, and `run` tells about the run; in checkpoints the
optimisers' states belong to "g" and "d". Format 2: configurations have sections, `about` tells
about the run, and networks go by their names everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ConSinGAN.config import SCHEMA
from ConSinGAN.errors import UsageError
from ConSinGAN.options import FileValues

FORMAT = 2
ABOUT_1 = {"command", "device", "started", "python", "torch"}  # keys of `run` in format 1

# What was true for every run of format 1, which could not choose.
THEN_1 = {"generator": "consingan", "critic": "patch", "objective": "wgan-gp"}

NETWORKS_1 = {"adam.g.": "adam.generator.", "adam.d.": "adam.critic."}

T = TypeVar("T")


def to_current(values: FileValues, source: str) -> FileValues:
    """Options by name, from the content of a run's config.yaml or of a --config file.

    Options of components that a run of format 1 did not choose are dropped: all were written then.
    Raises UsageError if the file has a newer format or sections that there are not.
    """
    version = values.get("format", 1)
    if type(version) is not int or version < 1:
        raise UsageError(f"{source}: format must be a whole number, not {version!r}")
    if version > FORMAT:
        raise UsageError(f"{source}: was written by a newer version (format {version}, this one "
                         f"knows {FORMAT}); update the toolkit")  # fmt: skip
    first = version == 1 and is_of_a_run(values)
    dropped = {"format", "about"} | ({"run"} if first else set())
    kept = {name: value for name, value in values.items() if name not in dropped}
    flat = SCHEMA.from_sections(FileValues(kept, values.lines, values.inner), source)
    return without_strangers(FileValues(THEN_1 | flat, flat.lines)) if first else flat


def is_of_a_run(values: Mapping[str, Any]) -> bool:
    """Whether a run wrote the file itself: then it tells about the run, too."""
    if values.get("format", 1) != 1:
        return "about" in values
    about = values.get("run")
    return isinstance(about, dict) and about.keys() <= ABOUT_1


def without_strangers(values: FileValues, flags: Mapping[str, Any] | None = None) -> FileValues:
    """Without options of components that are not chosen. flags: choose, too, and are stronger."""
    layers = [{k: v for k, v in layer.items() if k in _CHOICES} for layer in (values, flags or {})]
    try:
        chosen = SCHEMA.chosen(*(SCHEMA.check(layer) for layer in layers))
    except UsageError:
        return values  # is complained about where lines are known
    options = SCHEMA.options
    kept = {
        name: value
        for name, value in values.items()
        if name not in options
        or not options[name].owners
        or chosen[options[name].kind] in options[name].owners
    }
    return FileValues(kept, values.lines)


_CHOICES = {family.option for family in SCHEMA.families.values()}


def checkpoint(tensors: Mapping[str, T]) -> dict[str, T]:
    """A checkpoint's tensors under the names that they have now."""
    return {_network_name(name): value for name, value in tensors.items()}


def _network_name(name: str) -> str:
    for before, now in NETWORKS_1.items():
        if name.startswith(before):
            return now + name.removeprefix(before)
    return name
