"""What all commands of the fleet do alike: carry out jobs, show them, write down how they ended."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ConSinGAN import console
from ConSinGAN.errors import ConSinGANError
from ConSinGAN.fleet.cluster import Cluster
from ConSinGAN.fleet.engine import Ending, Engine, Job, Work
from ConSinGAN.fleet.lease import Held
from ConSinGAN.fleet.ledger import Ledger
from ConSinGAN.fleet.place import INNER, Place
from ConSinGAN.fleet.signals import stop_signals
from ConSinGAN.fleet.view import View

log = logging.getLogger(__name__)

KEPT = ("host", "where", "warning")  # of what work tells, in the ledger
SUMMED = ("seconds", "attempts", "iterations")  # likewise, over all times that it was begun
LISTED = 50  # failures that are named at the end; all are in the ledger


class Failed(ConSinGANError):
    """Some of the work could not be done; the rest is."""

    prefix = ""


class Halted(ConSinGANError):
    """The fleet was stopped; what was done is saved."""

    prefix = ""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Books:
    """What is kept of a fleet at work: its ledger, its lease, and what is shown of it."""

    def __init__(self, place: Place, lease: Held, ledger: Ledger, what: str) -> None:
        """what: is being done, in a word."""
        self.place, self.lease, self.ledger = place, lease, ledger
        self._before, counted = _counts(ledger), ledger.count()
        self.view = View(what, len(ledger.entries), counted["done"])

    def __enter__(self) -> Books:
        self.view.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        for entry in self.ledger.entries.values():
            if entry["state"] == "running":
                entry["state"] = "stopped"
        self.ledger.write(at_once=True)
        self.view.__exit__(*exception)

    def watch(self, running: dict[str, dict[str, Any]]) -> None:
        """Take in what is told by all that runs."""
        self.lease.is_mine()  # touches it
        for name, facts in running.items():
            entry = self.ledger.entries[name]
            if entry["state"] == "waiting":
                entry["state"] = "running"
            warning = facts.get("warning")
            if warning is not None and warning != entry.get("warning"):
                log.warning("%s: %s", name, warning)
            entry |= _kept(facts)
        self.ledger.write()
        self.view.update(running)

    def ended(self, job: Job, ending: Ending) -> None:
        """Take in how one ended."""
        write_down(self.ledger, self.place, job, ending, self._before.pop(job.name, {}))
        self.view.ended(job.name, ending.state, ending.why)
        self.ledger.write()


def carry_out(
    there: Cluster, place: Place, lease: Held, ledger: Ledger, work: Work, jobs: Iterable[Job],
    what: str, ended: Callable[[Job, Ending], None] = lambda job, ending: None,
) -> None:  # fmt: skip
    """Do the jobs and keep the ledger, whose entries have their names.

    what: is being done, in a word. ended: is told of every ending. Raises Failed, naming them, if
    any failed, and Halted if the fleet was stopped by a signal.
    """
    with stop_signals() as signals, Books(place, lease, ledger, what) as books:
        engine = Engine(there, work, signals.should_stop, books.watch)
        for job, ending in engine.run(jobs):
            books.ended(job, ending)
            ended(job, ending)
        stop = signals.should_stop()
    say_how_it_ended(ledger, what, None if stop is None else stop.exit_code)


def _counts(ledger: Ledger) -> dict[str, dict[str, Any]]:
    """What was counted before this time, of those for which there is something."""
    found = {n: {k: e[k] for k in SUMMED if k in e} for n, e in ledger.entries.items()}
    return {name: counts for name, counts in found.items() if counts}


def _kept(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in KEPT if facts.get(name) is not None}


def write_down(
    ledger: Ledger, place: Place, job: Job, ending: Ending, before: Mapping[str, Any]
) -> None:
    """Enter an ending into the ledger; before: what was counted when this time began."""
    entry = ledger.entries[job.name]
    entry["state"] = ending.state
    entry |= _kept(ending.facts)
    for name in SUMMED:
        if name in ending.facts:
            entry[name] = round(before.get(name, 0) + ending.facts[name], 1)
    if ending.state == "done":
        entry.pop("where", None)
        entry.pop("warning", None)
    if ending.why and ending.state == "failed":
        entry["why"] = ending.why
    if ending.details:
        place.keep_traceback(job.name, ending.details)
        entry["traceback"] = f"{INNER}/tracebacks/{job.name}.txt"


def say_how_it_ended(ledger: Ledger, what: str, exit_code: int | None) -> None:
    """Raise Failed or Halted if there is something to say; first list what failed."""
    counted, failed, path = ledger.count(), ledger.failed(), ledger.path
    total = sum(counted.values())
    for name, why in list(failed.items())[:LISTED]:
        console.say(f"failed: {name}: {why}", sys.stderr)
    told = f"{counted['done']} of {total} are done"
    told += f", {len(failed)} failed" if failed else ""
    if exit_code is not None and counted["done"] + len(failed) < total:
        raise Halted(f"{what} was stopped: {told}; the same command goes on ({path})", exit_code)
    if failed:
        raise Failed(f"{told}; why stands above and in {path}")


def waiting(ledger: Ledger, make: Callable[[str], Job]) -> Iterator[Job]:
    """The jobs of what is not done, one after the other, so that a million take no memory."""
    for name, entry in ledger.entries.items():
        if entry["state"] != "done":
            yield make(name)
