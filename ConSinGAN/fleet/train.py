"""`fleet train`: a model of every picture of a folder."""

from __future__ import annotations

import argparse
import glob
import itertools
import logging
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ConSinGAN import launch, saved
from ConSinGAN.config import SCHEMA
from ConSinGAN.errors import UsageError
from ConSinGAN.fleet import cluster, driver, options, places, trainee
from ConSinGAN.fleet.engine import Job
from ConSinGAN.fleet.ledger import NAME, Ledger, check_same, digest, name_pictures
from ConSinGAN.fleet.place import Place
from ConSinGAN.pictures import formats
from ConSinGAN.pictures.finding import is_picture, natural

log = logging.getLogger(__name__)

DEFAULT_FOLDER = "TrainedModels/fleet"
ANSWERS = ("draw.yaml", "metrics.yaml")  # ledgers of `fleet draw` and `fleet metrics`
NEVER = ("fine_tune", "model_dir")  # also in a file
OURS = {
    "input_name": "name the pictures without a flag",
    **options.OURS,
    "fine_tune": "a fleet begins every picture's model anew",
    "model_dir": "a fleet begins every picture's model anew",
}


def make_parser() -> argparse.ArgumentParser:
    """All flags."""
    parser = launch.make_parser(__doc__)
    parser.prog = "python -m ConSinGAN.fleet train"
    parser.add_argument(
        "pictures", metavar="FOLDER_OR_GLOB", nargs="+", help="pictures, folders, or patterns"
    )
    options.add_flags(parser)
    return parser


def find(words: Sequence[str]) -> list[Path]:
    """The pictures that folders, patterns and names stand for, each once.

    What a fleet or a run has left in a folder is not meant. Raises UsageError if one of the words
    stands for none.
    """
    found: dict[Path, None] = {}
    for word in words:
        path = Path(word).expanduser()
        if path.is_dir():
            inside = sorted(_inside(path), key=_order)
        elif glob.has_magic(word) and not path.exists():
            matches = glob.glob(str(path), recursive=True)  # noqa: PTH207 (** and absolute)
            meant = (Path(m) for m in matches if not _is_ours(Path(m), path))
            inside = sorted((p for p in meant if p.is_file()), key=_order)
        else:
            inside = [formats.check_file(path, "picture")]
        if not inside:
            raise UsageError(f"{word}: no picture is there")
        found |= dict.fromkeys(map(options.in_full, inside))
    return list(found)


def _order(path: Path) -> tuple[Any, str]:
    return natural(path), str(path)


def _inside(folder: Path) -> Iterator[Path]:
    """The pictures of a folder and of those in it, without what is hidden or made by runs."""
    for above, folders, names in os.walk(folder):
        inner = [Path(above, name) for name in folders if not name.startswith(".")]
        folders[:] = [path.name for path in inner if not _holds_runs(path)]
        files = (Path(above, name) for name in names if not name.startswith("."))
        yield from filter(is_picture, files)


def _holds_runs(folder: Path) -> bool:
    """Whether a folder is a run directory, or what a fleet writes into."""
    return any((folder / name).is_file() for name in (saved.CONFIG, NAME, *ANSWERS))


def _is_ours(path: Path, pattern: Path) -> bool:
    """Whether a match of a pattern lies in a folder that holds runs, below the pattern's start."""
    plain = itertools.takewhile(lambda part: not glob.has_magic(part), pattern.parts)
    start = len(list(plain))
    return any(_holds_runs(Path(*path.parts[:end])) for end in range(start + 1, len(path.parts)))


def do(flags: Mapping[str, Any]) -> str:
    """Train all; a line that says what came of it.

    Raises UsageError before anything is written, Failed if some could not be trained.
    """
    fleet, flags = options.split(flags)
    pictures = find(flags.pop("pictures"))
    where = flags.pop("output_dir", DEFAULT_FOLDER)
    flags = absolute(flags)
    check(flags, pictures[0])
    places.check(where, fleet.scratch)
    with cluster.connected(fleet) as there:
        place = places.prepare(where, secrets.token_hex(8), fleet.scratch)
        with place.driving() as lease:
            ledger = open_ledger(place, flags, pictures)
            common = flags | {"manualSeed": ledger.about["seed"], "threads": fleet.threads_per_run}
            if not there.gpus_per_run:
                common["not_cuda"] = True

            def order(name: str) -> Job:
                picture = ledger.entries[name]["picture"]
                return Job(name, trainee.Training(place, name, common | {"input_name": picture}))

            place.sweep_leftovers()
            jobs = driver.waiting(ledger, order)
            driver.carry_out(there, place, lease, ledger, trainee.train, jobs, "training")
            return f"{len(ledger.entries)} models in {place.address}"


def absolute(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Flags with paths that mean the same in another process's folder."""
    return {
        name: str(options.in_full(Path(value).expanduser()))
        if name == "config" or SCHEMA.is_path(name)
        else value
        for name, value in flags.items()
    }


def check(flags: Mapping[str, Any], picture: Path) -> None:
    """Raise UsageError, naming the flag, if no picture could be trained with these."""
    options.refuse(flags, OURS)
    in_file = said_in_file(flags)
    options.refuse({n: v for n, v in in_file.items() if n in NEVER and v}, OURS)
    first = {n: v for n, v in flags.items() if n not in ("preset", "draft")}
    launch.configure(first | {"input_name": str(picture)})


def said_in_file(flags: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values of the --config file, if there is one."""
    return launch.read_file(flags["config"], flags) if flags.get("config") is not None else {}


def open_ledger(place: Place, flags: Mapping[str, Any], pictures: Sequence[Path]) -> Ledger:
    """The folder's ledger, with an entry for every picture.

    Raises UsageError if what was begun there had other flags.
    """
    given = dict(flags)
    if given.get("config") is not None:
        given["config"] = f"{given['config']} (sha-256 {digest(given['config'])})"
    ledger = Ledger.read(place)
    if ledger is None:
        seed = {**said_in_file(flags), **flags}.get("manualSeed")
        seed = secrets.randbelow(2**31) if seed is None else seed
        ledger = Ledger(place, "train", {"flags": given, "seed": seed})
    else:
        path = ledger.path
        if ledger.command != "train":
            raise UsageError(f"`output_dir`: {path} is of a {ledger.command}; name another folder")
        check_same(ledger.about.get("flags") or {}, given, path)
        ledger.about["flags"] = given
    ledger.entries, before = {}, ledger.all_entries()
    known = {str(entry.get("picture")): name for name, entry in before.items()}
    for name, picture in name_pictures(pictures, known).items():
        entry = before.pop(name, {"picture": str(picture), "state": "waiting"})
        ledger.entries[name] = entry
        if entry["state"] != "done" or not place.has(name):
            entry["state"] = "waiting"
            entry.pop("why", None)
    ledger.others = before
    if before:
        log.info("%d pictures of before are not among these: they stay as they are", len(before))
    ledger.write(at_once=True)
    return ledger
