"""The settings of a sweep: all combinations of some options' values. Imports no torch."""

from __future__ import annotations

import difflib
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ConSinGAN import launch, modes
from ConSinGAN.config import SCHEMA, TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.fleet.train import OURS
from ConSinGAN.options import Scope, check_value, field_of, scalar_type
from ConSinGAN.registry import TASKS

MAX_SETTINGS = 10_000
RANGE = re.compile(r"(-?[0-9]+):(-?[0-9]+)")
TRUTH = {"true": True, "on": True, "false": False, "off": False}
ELSEWHERE = OURS | {  # what is no option of a grid, and why
    "manualSeed": "`seeds` says how many there are",
    "output_dir": "all of a sweep goes into one folder",
    "frame": "pictures are named without a flag",
}


@dataclass(frozen=True)
class Setting:
    """Flags of training that are tried together, and a name for them."""

    name: str
    flags: Mapping[str, Any]


def read_grid(words: Sequence[str]) -> dict[str, list[Any]]:
    """The values of every option that OPTION=VALUES names.

    Raises UsageError for what is no option or value, missing, or there twice.
    """
    grid: dict[str, list[Any]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise UsageError(f"`grid` takes OPTION=VALUE,VALUE or OPTION=FIRST:LAST, not {word!r}")
        _check_name(name)
        if name in grid:
            raise UsageError(f"`grid` {name}: is there twice; give all its values at once")
        grid[name] = _read_values(name, text)
    if not grid:
        raise UsageError("`grid` is needed: the options to try, as in `grid` lr_scale=0.1,0.3")
    if (number := math.prod(map(len, grid.values()))) > MAX_SETTINGS:
        raise UsageError(f"`grid`: these are {number} settings, and at most {MAX_SETTINGS} do")
    return grid


def as_text(grid: Mapping[str, Sequence[Any]]) -> str:
    """A grid as it is typed, the same however it was."""
    return " ".join(f"{name}={','.join(map(_text, values))}" for name, values in grid.items())


def settings_of(grid: Mapping[str, Sequence[Any]], flags: Mapping[str, Any]) -> list[Setting]:
    """All combinations; with the other flags, which name a picture, each can be done and measured.

    Raises UsageError for the first that is not, and for an option that is typed besides.
    """
    for name in grid:
        if name in flags:
            raise UsageError(f"`grid` {name}: `{name}` is typed as well; leave one of them away")
    settings = []
    for values in itertools.product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        name = " ".join(f"{option}={_text(value)}" for option, value in chosen.items())
        try:
            check_measurable(launch.configure({**flags, **chosen}))
        except UsageError as error:
            raise UsageError(f"`grid` {name}: {error.marked}") from None
        settings.append(Setting(name, chosen))
    return settings


def check_measurable(config: TrainConfig) -> None:
    """Raise UsageError, naming the mode, if the models of such a run cannot be measured."""
    unsuited = TASKS.load("samples")().unsuited(modes.get(config.train_mode), config)
    if unsuited:
        raise UsageError(f"`train_mode` {config.train_mode}: cannot be measured: {unsuited}")


def _check_name(name: str) -> None:
    if name in ELSEWHERE:
        raise UsageError(f"`grid` {name}: is not for a grid: {ELSEWHERE[name]}")
    if name not in SCHEMA.options:
        close = difflib.get_close_matches(name, SCHEMA.options, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise UsageError(f"`grid` {name}: there is no such option of training{hint}")
    if SCHEMA.options[name].scope(name) == Scope.HARMLESS:
        raise UsageError(f"`grid` {name}: no result depends on it")
    if isinstance(field_of(SCHEMA.options[name].cls, name).metadata["metavar"], tuple):
        raise UsageError(f"`grid` {name}: an option of several numbers cannot be in a grid")


def _read_values(name: str, text: str) -> list[Any]:
    cls = SCHEMA.options[name].cls
    kind = scalar_type(cls, name)
    values: list[Any] = []
    for part in text.split(","):
        if not part:
            raise UsageError(f"`grid` {name}: a value is missing in {name}={text}")
        bounds = RANGE.fullmatch(part) if kind in (int, float) else None
        for value in _range(name, bounds) if bounds else [_read(name, kind, part)]:
            try:
                checked = check_value(cls, name, value)
            except UsageError as error:
                raise UsageError(f"`grid` {name}: {error.marked}") from None
            if checked in values:
                raise UsageError(f"`grid` {name}: {_text(checked)} is there twice")
            values.append(checked)
    return values


def _range(name: str, bounds: re.Match[str]) -> range:
    first, last = int(bounds[1]), int(bounds[2])
    if last < first:
        raise UsageError(f"`grid` {name}: {bounds[0]} ends before it begins")
    if last - first >= MAX_SETTINGS:
        raise UsageError(f"`grid` {name}: {bounds[0]} are too many values")
    return range(first, last + 1)


def _read(name: str, kind: type, text: str) -> Any:
    try:
        return TRUTH[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        expected = {int: "whole numbers", float: "numbers", bool: "true and false"}[kind]
        raise UsageError(f"`grid` {name}: takes {expected}, not {text!r}") from None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
