"""Options: dataclass fields that are flags, their values checked whether typed or from YAML.

A field made by `option(default, group, help, ...)` carries its flag and its allowed values.
This module imports neither torch nor numpy, so `--help` is quick.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn, get_args, get_type_hints

import yaml

from ConSinGAN.errors import UsageError


class Scope(Enum):
    """Where an option belongs; decides what a run hands on, and what may change on resuming."""

    ARCHITECTURE = "what fine-tuning takes over and cannot change"
    TRAINING = "what fine-tuning takes over unless told otherwise"
    RUN = "one run alone"
    HARMLESS = "one run alone, and its result does not depend on it"
    ROUNDING = "one run alone, and its result depends on it within rounding"


NONE = "none"  # of the words that an option may list
PATHS = ("PATH", "DIR", "FILE")  # metavars of options that name a file or a folder


def option(
    default: Any,
    group: str,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    choices: Iterable[str] | None = None,
    several: tuple[str, ...] | None = None,
    metavar: str | tuple[str, ...] | None = None,
    too_high: str | None = None,
    scope: Scope = Scope.TRAINING,
    negatable: bool = False,
) -> Any:
    """A dataclass field that is also a flag.

    group: heading in --help and section in a configuration file; of a component's options that is
    the component.
    Allowed values: `low` <= value <= `high`, value > `above`, one of `choices`, or any of
    `several` with commas between them, `none` for none of them.
    too_high: says why no more than `high` is possible. negatable: there is a flag `--no-...`, too.
    """
    if isinstance(default, int) and high is None:
        high = 10**9
    metadata: dict[str, Any] = {"group": group, "help": help, "metavar": metavar}
    metadata |= {"low": low, "high": high, "above": above, "choices": choices, "several": several}
    metadata |= {"too_high": too_high, "scope": scope, "negatable": negatable}
    return field(default=default, metadata=metadata)


# ---------------------------------------------------------------------------------------------
# Values: from text or YAML to a checked field value.


def field_of(cls: type, name: str) -> dataclasses.Field:
    """A field of a dataclass."""
    return cls.__dataclass_fields__[name]  # type: ignore[attr-defined]


def scalar_type(cls: type, name: str) -> type:
    """The plain type of a field: int for `int | None` and for `tuple[int, int] | None`."""
    hint = get_type_hints(cls)[name]
    options = [t for t in get_args(hint) if t is not type(None)] or [hint]
    return (get_args(options[0]) or (options[0],))[0]


def check_value(cls: type, name: str, value: Any) -> Any:
    """Return the value of one field, converted where nothing is lost (1 -> 1.0).

    Raises UsageError, naming the flag, if the type or the range is wrong.
    """
    spec = field_of(cls, name)
    meta, kind = spec.metadata, scalar_type(cls, name)
    if value is None and spec.default is None:
        return None
    if isinstance(meta["metavar"], tuple):
        if not isinstance(value, (list, tuple)) or len(value) != len(meta["metavar"]):
            raise UsageError(f"`{name}` takes {len(meta['metavar'])} numbers, not {value!r}")
        return tuple(_check_scalar(name, kind, meta, v) for v in value)
    return _check_scalar(name, kind, meta, value)


def _check_scalar(name: str, kind: type, meta: Mapping, value: Any) -> Any:
    if kind is float and type(value) is int and abs(value) < 2**53:
        value = float(value)
    if kind is float and isinstance(value, str) and _SCIENTIFIC.fullmatch(value):
        value = float(value)  # YAML 1.1 reads 5e-4 as text
    if kind is str and isinstance(value, os.PathLike):
        value = os.fspath(value)
    if meta["metavar"] in PATHS and isinstance(value, str) and value.startswith("~"):
        value = os.path.expanduser(value)  # noqa: PTH111 (a Path would change other spellings)
    if type(value) is not kind:
        raise UsageError(f"`{name}` takes {_KIND[kind]}, not {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"`{name}` must be finite, not {value}")
    if meta["low"] is not None and value < meta["low"]:
        raise UsageError(f"`{name}` must be at least {meta['low']}, not {value}")
    if meta["high"] is not None and value > meta["high"]:
        if meta["too_high"]:
            raise UsageError(f"`{name}` {value}: {meta['too_high']}")
        raise UsageError(f"`{name}` must be at most {meta['high']}, not {value}")
    if meta["above"] is not None and value <= meta["above"]:
        raise UsageError(f"`{name}` must be greater than {meta['above']}, not {value}")
    if meta["choices"] is not None and value not in meta["choices"]:
        raise UsageError(f"`{name}` must be one of {', '.join(meta['choices'])}; not {value!r}")
    return value if meta["several"] is None else _check_several(name, meta["several"], value)


def _check_several(name: str, known: tuple[str, ...], value: Any) -> str:
    """The same list in the order of `known`, without spaces."""
    words = [word.strip() for word in value.split(",")]
    if words == [NONE]:
        return NONE
    strangers = [word for word in words if word not in known]
    if strangers or len(set(words)) < len(words):
        raise UsageError(
            f"`{name}` takes {NONE}, or some of {', '.join(known)} with commas between them; "
            f"not {value!r}"
        )
    return ",".join(word for word in known if word in words)


def listed(value: str) -> list[str]:
    """The words of an option that takes several."""
    return [] if value == NONE else value.split(",")


_SCIENTIFIC = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
_KIND = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


class FileValues(dict[str, Any]):
    """Values from a file, and the line of each, counted from 1.

    inner: the lines of the values in sections, by section.
    """

    def __init__(
        self, values: Mapping[str, Any], lines: Mapping[str, int],
        inner: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(values)
        self.lines, self.inner = dict(lines), dict(inner or {})


def read_yaml(path: str | Path) -> FileValues:
    """Read a YAML file of option values. Raises UsageError naming the file if it is not one."""
    if not str(path):
        raise UsageError("`config` needs the name of a YAML file")
    try:
        file = Path(path).expanduser()
        if file.stat().st_size > 2**20:
            raise UsageError(f"{path}: too large for a file of options")
        return parse_yaml(file.read_text(encoding="utf-8"), path)
    except OSError as error:
        raise UsageError(f"`config` {path}: cannot be read: {error.strerror}") from error
    except (ValueError, RuntimeError) as error:  # no UTF-8, no name for a file, ~nobody
        raise UsageError(f"{path}: not a YAML file") from error


def parse_yaml(text: str, path: str | Path) -> FileValues:
    """Option values from the text of the file `path`.

    Raises UsageError, naming the line, if it is not YAML or more than `option: value` lines.
    """
    try:
        node: Any = yaml.compose(text, yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{path}{_place(error)}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not a YAML file") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path}: expected lines of the form 'option: value'")
    inner = {}
    for key, value in node.value:
        if isinstance(value, yaml.MappingNode) and isinstance(key.value, str):
            inner[key.value] = _lines(value, path)
    return FileValues(values, _lines(node, path), inner)


def _lines(node: yaml.MappingNode, path: str | Path) -> dict[str, int]:
    """The line of every key. Raises UsageError if one is there twice."""
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if isinstance(key.value, str) and lines.setdefault(key.value, line) != line:
            raise UsageError(
                f"{path}, line {line}: {key.value!r} is there twice; the first is in line "
                f"{lines[key.value]}"
            )
    return lines


def _place(error: yaml.YAMLError) -> str:
    """Where a text stops being YAML, and why, as far as the parser knows."""
    mark = getattr(error, "problem_mark", None)
    line = f", line {mark.line + 1}" if mark is not None else ""
    problem = getattr(error, "problem", None)
    return f"{line}: not a YAML file{f' ({problem})' if problem else ''}"


# ---------------------------------------------------------------------------------------------
# Flags from fields.


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see --help)")


def _default_text(spec: dataclasses.Field, special: Mapping[str, Mapping[str, Any]]) -> str:
    by_value: dict[str, list[str]] = {}
    for case, defaults in special.items():
        if spec.name in defaults:
            by_value.setdefault(_value_text(defaults[spec.name]), []).append(case)
    no_default = spec.default is None or spec.default is False
    parts = [] if no_default else [_value_text(spec.default)]
    parts += [f"{', '.join(cases)}: {value}" for value, cases in by_value.items()]
    return f" (default: {'; '.join(parts)})" if parts else ""


def _value_text(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def new_parser(description: str) -> argparse.ArgumentParser:
    """A parser that says what is wrong by raising UsageError; untyped flags are left out."""
    return _Parser(
        description=description,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=30, width=100),
    )


def add_flag(
    group: argparse._ArgumentGroup, cls: type, name: str,
    special: Mapping[str, Mapping[str, Any]] | None = None,
    summaries: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Add the flag of one field of `cls`.

    special: names of cases (modes, say) to the defaults that hold there, for the help text.
    summaries: what is to be said there about its choices, if that is more than their names.
    """
    spec = field_of(cls, name)
    meta, kind = spec.metadata, scalar_type(cls, name)
    about = "; ".join(f"{choice}: {text}" for choice, text in (summaries or {}).items() if text)
    text = meta["help"] + (f"; {about.replace('%', '%%')}" if about else "")
    text += _default_text(spec, special or {})
    if kind is bool:
        negatable = spec.default or meta["negatable"]
        action = argparse.BooleanOptionalAction if negatable else "store_true"
        group.add_argument(f"--{name}", action=action, help=text)
        return
    nargs: dict[str, Any] = (
        {"nargs": len(meta["metavar"])} if isinstance(meta["metavar"], tuple) else {}
    )
    shown = meta["metavar"] or {int: "N", float: "X"}.get(kind)
    group.add_argument(
        f"--{name}", type=kind, choices=meta["choices"], metavar=shown, help=text, **nargs
    )


def add_verbosity(parser: argparse.ArgumentParser) -> None:
    """Add --quiet and --verbose, which set `level` to a level of the logging module."""
    group = parser.add_mutually_exclusive_group()
    for flag, level, text in (
        ("--quiet", logging.WARNING, "say only what is wrong, and the result"),
        ("--verbose", logging.DEBUG, "say more"),
    ):
        group.add_argument(flag, dest="level", action="store_const", const=level, help=text)
