"""What drawing from many models and measuring them have in common.

Both are done by one command again and again: what is done, with the same flags and weights, is not
done again. Their ledgers, draw.yaml and metrics.yaml, tell people of the last time.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ConSinGAN import ask, modes, saved
from ConSinGAN.errors import UsageError
from ConSinGAN.evaluation import SCHEMA
from ConSinGAN.fleet import cluster, driver, options, runs
from ConSinGAN.fleet.artist import Question
from ConSinGAN.fleet.engine import Job, Work
from ConSinGAN.fleet.ledger import Ledger, digest, name_all
from ConSinGAN.fleet.place import FolderPlace
from ConSinGAN.fleet.records import Records, key_of
from ConSinGAN.fleet.store import refuse_store
from ConSinGAN.pictures import formats
from ConSinGAN.registry import TASKS
from ConSinGAN.version import VERSION

log = logging.getLogger(__name__)

OURS = {"model_dir": "name the runs without a flag", **options.OURS}
HARMLESS = ("not_cuda", "max_megapixels")  # answers do not depend on them


@dataclass(frozen=True)
class Command:
    """A question that is put to many models.

    what: is being done, in a word. where: it is written, for the help. draws: whether it writes
    pictures of each. given: flags that it adds. refused: flags that it does not take, and why.
    is_there: whether what a record tells is still so.
    """

    name: str
    what: str
    where: str
    draws: bool
    work: Work
    given: Mapping[str, Any]
    refused: Mapping[str, str]
    is_there: Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Answers:
    """What came of it. names: of those that were asked, in order."""

    home: Path
    records: Records
    names: Sequence[str]
    keys: Mapping[str, str]
    ledger: Ledger

    def all(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The records of those that are done, one after the other."""
        for name in self.names:
            content = self.records.read(name, self.keys[name])
            if content is not None:
                yield name, content

    def pictures(self, name: str, content: Mapping[str, Any]) -> list[Path]:
        """The small pictures that a record has."""
        return self.records.pictures(name, content)


def make_parser(description: str | None, command: Command) -> argparse.ArgumentParser:
    """All flags; those that it does not take are known, so that it can say why, but not shown."""
    parser = ask.make_parser(description)
    parser.prog = f"python -m ConSinGAN.fleet {command.name}"
    for action in parser._actions:
        if action.dest in {**OURS, **command.refused}:
            action.help = argparse.SUPPRESS
        elif action.dest == "output_dir":
            action.help = command.where
    parser.add_argument(
        "runs", metavar="RUNS", nargs="+",
        help="run directories, folders of them (all finished ones), or patterns",
    )  # fmt: skip
    options.add_flags(parser)
    return parser


def put(command: Command, flags: Mapping[str, Any], show: Callable[[Answers], None]) -> Answers:
    """Ask all models and show the answers, also if some failed or it was stopped.

    Raises UsageError before anything is written, Failed and Halted as `driver.carry_out` does.
    """
    fleet, flags = options.split(flags)
    found, folders = runs.find(flags.pop("runs"))
    given = flags.pop("output_dir", None)
    what = "what is drawn and measured is written to a folder, not to an object store"
    refuse_store(given, fleet.scratch, what)
    home = runs.home_of(found, folders, given)
    check(command, flags, found)
    flags = {name: _absolute(name, value) for name, value in flags.items()}
    answers = _look(command, home, found, flags)
    ledger, names = answers.ledger, answers.names
    apart = home if given is not None and command.draws else None
    if apart and any((apart / name / saved.CONFIG).exists() for name in names):
        raise UsageError(
            f"`output_dir` {given}: the runs themselves are there; without it each run's "
            "Evaluation is written"
        )
    done = ledger.count()["done"]
    if done:
        log.info("%d of %d are done already", done, len(names))
    with contextlib.ExitStack() as stack:
        there = stack.enter_context(cluster.connected(fleet)) if done < len(names) else None
        place = FolderPlace.prepare(home, secrets.token_hex(8))
        lease = stack.enter_context(place.driving(f"driver_{command.name}"))
        common = {**flags, **command.given, "threads": fleet.threads_per_run}
        if there is not None and not there.gpus_per_run:
            common["not_cuda"] = True

        def order(name: str) -> Job:
            own = {"model_dir": ledger.entries[name]["run"]}
            own |= {"output_dir": str(apart / name)} if apart else {}
            key = answers.keys[name]
            return Job(name, Question(place, answers.records, name, common | own, key))

        ledger.write(at_once=True)
        try:
            if there is not None:
                jobs = driver.waiting(ledger, order)
                driver.carry_out(there, place, lease, ledger, command.work, jobs, command.what)
        finally:
            show(answers)
    return answers


def check(command: Command, flags: Mapping[str, Any], found: Sequence[Path]) -> None:
    """Raise UsageError, naming the flag, if no model could be asked with these."""
    options.refuse(flags, {**OURS, **command.refused})
    typed = SCHEMA.check(flags)
    config, task = ask.resolve({**typed, **command.given}, _default_task(typed, found))
    task.check_flags(config)


def _default_task(typed: Mapping[str, Any], found: Sequence[Path]) -> str:
    """The task to check flags with: what the first model that can be read was trained for."""
    for run in found if "task" not in typed else ():
        with contextlib.suppress(UsageError):
            return modes.get(saved.read_config(run).train_mode).default_task
    return TASKS.names()[0]


def _absolute(name: str, value: Any) -> Any:
    """The name of a file as it holds for other processes; anything else as it is.

    Raises UsageError if there is no such file.
    """
    if not SCHEMA.is_path(name):
        return value
    return str(formats.check_file(value, f"`{name}`").absolute())


def _look(command: Command, home: Path, found: Sequence[Path], flags: Mapping[str, Any]) -> Answers:
    """What is asked, and what of it is known already; nothing is written."""
    old = Ledger.read(FolderPlace(home), f"{command.name}.yaml")
    about, before = (old.about, old.entries) if old else ({}, {})
    told, records = _telling(flags), Records(home, command.name)
    known = {str(entry.get("run")): name for name, entry in before.items()}
    known = {**(about.get("others") or {}), **known}
    named = name_all(((run, runs.short_name(run)) for run in found), known)
    others = {run: name for run, name in known.items() if name not in named}
    ledger = Ledger(FolderPlace(home), command.name, {"flags": told}, f"{command.name}.yaml")
    if others:  # whose names are taken, of drawings that lie here
        ledger.about["others"] = others
    keys: dict[str, str] = {}
    for name, run in named.items():
        entry = ledger.entries[name] = {"run": str(run), "state": "waiting"}
        keys[name] = key_of(VERSION, told, str(run), runs.fingerprint(run))
        record = records.read(name, keys[name])
        if record is not None and command.is_there(record):
            entry |= {k: v for k, v in before.get(name, {}).items() if k in ("seconds", "host")}
            entry["state"] = "done"
    if old is not None:
        _compare(about.get("flags") or {}, told, command.what)
    return Answers(home, records, list(named), keys, ledger)


def _telling(flags: Mapping[str, Any]) -> dict[str, Any]:
    """What the answers depend on: files by their content, and no flags that change nothing."""
    told = {}
    for name, value in flags.items():
        if name not in HARMLESS:
            is_file = isinstance(value, str) and Path(value).is_absolute()
            told[name] = f"{value} (sha-256 {digest(value, name)})" if is_file else value
    return told


def _compare(before: Mapping[str, Any], flags: Mapping[str, Any], what: str) -> None:
    """Say which flags differ from last time."""
    for name in sorted({*before, *flags}):
        texts = [
            "not given" if value is None else value for value in (before.get(name), flags.get(name))
        ]
        if texts[0] != texts[1]:
            log.info("--%s was %s last time and is %s now: %s anew", name, *texts, what)
