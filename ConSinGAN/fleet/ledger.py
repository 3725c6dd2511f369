"""fleet.yaml: what a fleet is about, what is done, running and failed, and why.

It is for people and for comparing flags. What is finished, the run directories tell themselves, so
nothing is lost with what was not written down yet.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ConSinGAN.errors import UsageError, describe
from ConSinGAN.fleet.place import Place

log = logging.getLogger(__name__)

NAME = "fleet.yaml"
FORMAT = 1
STATES = ("waiting", "running", "stopped", "failed", "done")
EVERY = 5.0  # seconds between two writings, at least
SHARE = 20  # times as long as the last writing took, at least

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Entry = dict[str, Any]  # state, picture and what else is known of one run


class Ledger:
    """The content of one fleet.yaml."""

    def __init__(
        self, place: Place, command: str, about: Mapping[str, Any], name: str = NAME
    ) -> None:
        """about: what the runs have in common, their flags above all. name: of the file."""
        self.place, self.name = place, name
        self.command, self.about = command, dict(about)
        self.entries: dict[str, Entry] = {}
        self.others: dict[str, Entry] = {}  # of before, which nobody asks for this time
        self._written, self._took, self._told = 0.0, 0.0, False

    @classmethod
    def read(cls, place: Place, name: str = NAME) -> Ledger | None:
        """That of a place; None if there is none. Raises UsageError if it is damaged."""
        path = place.spell(name)
        try:
            content = _load(place.read(name).decode("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise UsageError(
                f"{path}: cannot be read ({str(error).splitlines()[0]}); move it away, what is "
                "trained stays known"
            ) from error
        good = isinstance(content, dict) and content.get("format") == FORMAT
        kinds: list[Any] = [content.get("runs"), content.get("other_runs", {})] if good else [None]
        if not all(map(_are_entries, kinds)):
            raise UsageError(f"{path}: is not what a fleet writes; move it away")
        ours = ("format", "command", "runs", "other_runs", "state")
        about = {k: v for k, v in content.items() if k not in ours}
        ledger = cls(place, str(content.get("command")), about, name)
        ledger.entries, ledger.others = (
            {str(name): entry for name, entry in runs.items()} for runs in kinds
        )
        return ledger

    def all_entries(self) -> dict[str, Entry]:
        """Those of before that nobody asks for, and those that are meant."""
        return {**self.others, **self.entries}

    def count(self) -> dict[str, int]:
        """How many runs there are in every state."""
        found = dict.fromkeys(STATES, 0)
        for entry in self.entries.values():
            found[entry["state"]] += 1
        return found

    def failed(self) -> dict[str, str]:
        """The names of what failed, and why."""
        return {n: e.get("why", "") for n, e in self.entries.items() if e["state"] == "failed"}

    @property
    def path(self) -> str:
        """Where it is, as users name it."""
        return self.place.spell(self.name)

    def write(self, at_once: bool = False) -> None:
        """Write it down; if that need not be at once, not too often. A full disk ends nothing."""
        start = time.monotonic()
        if not at_once and start - self._written < max(EVERY, SHARE * self._took):
            return
        content = {"format": FORMAT, "command": self.command, **self.about}
        content["state"] = {state: number for state, number in self.count().items() if number}
        content["runs"] = self.entries
        if self.others:
            content["other_runs"] = self.others
        text = _dump(content)
        try:
            self.place.write(self.name, text.encode(), durable=at_once)
        except OSError as error:
            if not self._told:
                log.warning("%s; the fleet goes on", describe(error))
            self._told = True
        self._written = time.monotonic()
        self._took = self._written - start


def _are_entries(runs: Any) -> bool:
    """Whether this is a dictionary of entries by the names of runs."""
    return isinstance(runs, dict) and all(
        isinstance(entry, dict) and is_name(str(run)) and entry.get("state") in STATES
        for run, entry in runs.items()
    )


def _dump(content: Any) -> str:
    how: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 100}
    try:
        return yaml.dump(content, Dumper=_Dumper, **how)
    except UnicodeEncodeError:  # names of files that are no Unicode; libyaml has no way with them
        return yaml.dump(content, Dumper=yaml.SafeDumper, **how)


def _load(text: str) -> Any:
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError:
        return yaml.safe_load(text)


def is_name(name: str) -> bool:
    """Whether it can name a run: a folder of its own beside the others, not hidden."""
    return bool(name) and not name.startswith(".") and not set(name) & set("/\0")


def name_pictures(pictures: Iterable[Path], known: Mapping[str, str]) -> dict[str, Path]:
    """A name for the run of every picture: its stem, with a number if that is taken.

    known: names that pictures have already, by path. Names differ in more than upper and lower
    case, and none begins with a dot.
    """
    return name_all(((picture, picture.stem) for picture in pictures), known)


def name_all(wanted: Iterable[tuple[Path, str]], known: Mapping[str, str]) -> dict[str, Path]:
    """Names for paths, as `name_pictures` does; wanted: each path and the name that it would get.

    known: names that paths have already.
    """
    names: dict[str, Path] = {}
    taken = {name.casefold() for name in known.values()} | {NAME}
    for path, stem in wanted:
        name = known.get(str(path))
        if name is None:
            stem = stem.lstrip(".")[:150].strip() or "picture"
            number, name = 1, stem
            while name.casefold() in taken:
                number += 1
                name = f"{stem}_{number}"
            taken.add(name.casefold())
        names[name] = path
    return names


def check_same(before: Mapping[str, Any], flags: Mapping[str, Any], path: str) -> None:
    """Compare a fleet's flags with those of last time.

    Harmless ones may differ, and that is told. Raises UsageError, naming the flag, for another.
    """
    from ConSinGAN.config import SCHEMA
    from ConSinGAN.options import Scope

    for name in sorted({*before, *flags}):
        was, now = before.get(name), flags.get(name)
        if was == now:
            continue
        texts = ["not given" if value is None else value for value in (was, now)]
        owned = SCHEMA.options.get(name)
        if owned is None or owned.scope(name) not in (Scope.HARMLESS, Scope.ROUNDING):
            raise UsageError(
                f"`{name}` was {texts[0]} when {path} was begun, and is {texts[1]} now; runs that "
                "differ belong into folders of their own: name another `output_dir`"
            )
        log.info("--%s was %s last time and is %s from here on", name, *texts)


def digest(path: str, flag: str = "config") -> str:
    """The checksum of a file that a flag names. Raises UsageError if it cannot be read."""
    try:
        return hashlib.sha256(Path(path).expanduser().read_bytes()).hexdigest()
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"`{flag}` {path}: cannot be read: {reason}") from error
