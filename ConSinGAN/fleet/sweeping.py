"""Carrying out a sweep: every setting, seed and picture is a trial, which is done once."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ConSinGAN.errors import UsageError
from ConSinGAN.fleet import cluster, driver, findings, train
from ConSinGAN.fleet.grid import Setting
from ConSinGAN.fleet.ledger import NAME, Ledger, check_same, digest, name_pictures
from ConSinGAN.fleet.options import FleetConfig
from ConSinGAN.fleet.outcomes import Outcome
from ConSinGAN.fleet.place import INNER, FolderPlace
from ConSinGAN.fleet.signals import stop_signals
from ConSinGAN.fleet.sweep_options import SweepConfig
from ConSinGAN.fleet.trial import Trial

if TYPE_CHECKING:
    from ConSinGAN.fleet.asha import Halving

COMMAND = "sweep"
JOURNAL = "asha.jsonl"  # in the folder's inner one
# What Tune reads when it is loaded: no loggers, no handler of Ctrl-C beside ours, no snapshots of
# its own, no tables on the screen.
TUNE = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}


@dataclass(frozen=True)
class Sweep:
    """What a sweep is about.

    flags: of training, that all settings share; with names of files as they are from anywhere.
    about: what must be the same when it goes on, by the names of flags.
    """

    pictures: Sequence[Path]
    settings: Sequence[Setting]
    flags: Mapping[str, Any]
    config: SweepConfig
    about: Mapping[str, Any]

    def names(self) -> dict[str, Path]:
        """The pictures by name, in their order; who is called what does not depend on it."""
        names = {path: name for name, path in name_pictures(sorted(self.pictures), {}).items()}
        return {names[path]: path for path in self.pictures}

    @property
    def first_seed(self) -> int:
        """The first trial's; those of others follow."""
        return int({**train.said_in_file(self.flags), **self.flags}.get("manualSeed") or 0)

    def trials(self) -> dict[str, Outcome]:
        """What each trial is about, by name; so ordered that what is there is comparable soon."""
        names: dict[str, Outcome] = {}
        pictures, first = self.names(), self.first_seed
        settings = dict(zip(_slugs([s.name for s in self.settings]), self.settings, strict=True))
        for seed in range(first, first + self.config.seeds):
            for picture, (slug, setting) in itertools.product(pictures, settings.items()):
                name = f"{picture[:60]}-{slug}-seed={seed}"
                while name in names:  # two pictures whose long names begin alike
                    name += "_2"
                names[name] = Outcome(name, setting, picture, seed, "missing")
        return names


def _slugs(names: Sequence[str]) -> list[str]:
    """Names that are good for folders, short, and differ in more than upper and lower case."""
    slugs: list[str] = []
    taken: set[str] = set()
    for name in names:
        stem = re.sub(r"[^\w.=+-]+", "-", name)[:100]
        number, slug = 1, stem
        while slug.casefold() in taken:
            number += 1
            slug = f"{stem}_{number}"
        taken.add(slug.casefold())
        slugs.append(slug)
    return slugs


def carry_out(sweep: Sweep, fleet: FleetConfig, folder: Path) -> list[Outcome]:
    """Do all trials that are not done, and write down what came of them.

    Raises UsageError if another sweep was begun in the folder, Failed if a trial failed, Halted if
    a signal stopped it: when what is there is written down.
    """
    start = time.monotonic()
    for name, value in TUNE.items():
        os.environ.setdefault(name, value)
    with cluster.connected(fleet) as there:
        try:
            from ConSinGAN.fleet.asha import Halving
            from ConSinGAN.fleet.tuning import Tuning
        except ImportError as error:  # Ray, but not what its Tune needs
            raise UsageError(cluster.MISSING) from error
        place = FolderPlace.prepare(folder, secrets.token_hex(8))
        with place.driving() as lease:
            plan = sweep.trials()
            ledger = open_ledger(sweep, place, plan)
            place.sweep_leftovers()
            common = {"threads": fleet.threads_per_run}
            if not there.gpus_per_run:
                common["not_cuda"] = True
            trials = {
                name: _trial(sweep, place, ledger.entries[name]["picture"], one, common)
                for name, one in plan.items()
            }
            halving = None
            if sweep.config.scheduler is not None:
                by_name = {name: one.picture for name, one in plan.items()}
                halving = Halving(place.folder / INNER / JOURNAL, by_name)
            for name, decision in halving.stopped.items() if halving else ():
                ledger.entries[name] |= {"state": "done", "stopped_early": decision.where()}
            for name, trial in trials.items():
                if trial.is_done():
                    ledger.entries[name]["state"] = "done"
            left = {n: t for n, t in trials.items() if ledger.entries[n]["state"] != "done"}
            with stop_signals() as signals, driver.Books(place, lease, ledger, COMMAND) as books:
                limit = sweep.config.seconds

                def should_stop() -> bool:
                    late = limit is not None and time.monotonic() - start >= limit
                    return late or signals.should_stop() is not None

                Tuning(there, place, books, should_stop, halving).run(left)
                stop = signals.should_stop()
                for name, decision in halving.stopped.items() if halving else ():
                    ledger.entries[name]["stopped_early"] = decision.where()
            found = [_found(one, trials[one.name], ledger, halving) for one in plan.values()]
            shared = {**sweep.flags, "input_name": str(sweep.pictures[0])}
            findings.write_down(found, sweep.config.minimise, shared, place)
    driver.say_how_it_ended(ledger, COMMAND, None if stop is None else stop.exit_code)
    return found


def _trial(
    sweep: Sweep, place: FolderPlace, picture: str, one: Outcome, common: Mapping[str, Any]
) -> Trial:
    flags = {**sweep.flags, **one.setting.flags, "input_name": picture, "manualSeed": one.seed}
    stagewise = None if sweep.config.scheduler is None else sweep.config.minimise
    return Trial(place, one.name, {**flags, **common}, sweep.config.num_samples, stagewise)


def _found(one: Outcome, trial: Trial, ledger: Ledger, halving: Halving | None) -> Outcome:
    """A trial with what came of it."""
    entry, about = ledger.entries[one.name], (one.name, one.setting, one.picture, one.seed)
    if halving is not None and (decision := halving.stopped.get(one.name)):
        return Outcome(*about, "cut", note=decision.where())
    if trial.is_done():
        return Outcome(*about, "done", trial.record().metrics)
    if entry["state"] == "failed":
        return Outcome(*about, "failed", note=entry.get("why", ""))
    return one


def open_ledger(sweep: Sweep, place: FolderPlace, plan: Mapping[str, Outcome]) -> Ledger:
    """The folder's ledger, with an entry for every trial.

    Raises UsageError, naming the flag, if what was begun there had other flags or pictures.
    """
    given, path = dict(sweep.about), place.spell(NAME)
    if given.get("config") is not None:
        given["config"] = f"{given['config']} (sha-256 {digest(given['config'])})"
    pictures = {str(picture): _digest(picture) for picture in sweep.pictures}
    ledger = Ledger.read(place)
    if ledger is None:
        ledger = Ledger(place, COMMAND, {"flags": given, "pictures": pictures})
    elif ledger.command != COMMAND:
        raise UsageError(f"`output_dir`: {path} is of a {ledger.command}; name another folder")
    else:
        check_same(ledger.about.get("flags") or {}, given, path)
        _check_pictures(ledger.about.get("pictures") or {}, pictures, path)
        ledger.about["flags"] = given
    paths = sweep.names()
    before, ledger.entries = ledger.entries, {}
    for name, one in plan.items():
        entry = {"picture": str(paths[one.picture]), "setting": one.setting.name, "seed": one.seed}
        kept = {k: v for k, v in before.get(name, {}).items() if k not in ("why", "state")}
        ledger.entries[name] = {**kept, **entry, "state": "waiting"}
    ledger.write(at_once=True)
    return ledger


def _digest(picture: Path) -> str:
    try:
        return hashlib.sha256(picture.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"picture {picture}: cannot be read: {error.strerror}") from error


def _check_pictures(before: Mapping[str, str], now: Mapping[str, str], path: str) -> None:
    for picture in [*before, *now]:
        if before.get(picture) == now.get(picture):
            continue
        how = "was not among them"
        if picture in before:
            how = "is not the same any more" if picture in now else "was among them"
        raise UsageError(
            f"PICTURE: {picture} {how} when {path} was begun; name another `output_dir`"
        )
