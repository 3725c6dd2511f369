"""`fleet train`: a model of every picture of a folder."""

from __future__ import annotations

import argparse
import glob
import logging
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ConSinGAN import launch
from ConSinGAN.config import SCHEMA
from ConSinGAN.errors import UsageError
from ConSinGAN.fleet import cluster, driver, options, places, trainee
from ConSinGAN.fleet.engine import Job
from ConSinGAN.fleet.ledger import Ledger, check_same, digest, name_pictures
from ConSinGAN.fleet.place import Place
from ConSinGAN.pictures import formats
from ConSinGAN.pictures.finding import is_picture, natural

log = logging.getLogger(__name__)

DEFAULT_FOLDER = "TrainedModels/fleet"
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

    Raises UsageError if one of the words stands for none.
    """
    found: dict[Path, None] = {}
    for word in words:
        path = Path(word).expanduser()
        if path.is_dir():
            inside = sorted((p for p in path.rglob("*") if _is_meant(p, path)), key=natural)
        elif glob.has_magic(word) and not path.exists():
            matches = glob.glob(str(path), recursive=True)  # noqa: PTH207 (** and absolute)
            inside = sorted((Path(m) for m in matches if Path(m).is_file()), key=natural)
        else:
            inside = [formats.check_file(path, "picture")]
        if not inside:
            raise UsageError(f"{word}: no picture is there")
        found |= dict.fromkeys(p.absolute() for p in inside)
    return list(found)


def _is_meant(path: Path, folder: Path) -> bool:
    """Whether a file in a folder is a picture, and no part of what is hidden there."""
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and is_picture(path)


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
        name: str(Path(value).expanduser().absolute())
        if name == "config" or SCHEMA.is_path(name)
        else value
        for name, value in flags.items()
    }


def check(flags: Mapping[str, Any], picture: Path) -> None:
    """Raise UsageError, naming the flag, if no picture could be trained with these."""
    options.refuse(flags, OURS)
    first = {n: v for n, v in flags.items() if n not in ("preset", "draft")}
    launch.configure(first | {"input_name": str(picture)})


def open_ledger(place: Place, flags: Mapping[str, Any], pictures: Sequence[Path]) -> Ledger:
    """The folder's ledger, with an entry for every picture.

    Raises UsageError if what was begun there had other flags.
    """
    given = dict(flags)
    if given.get("config") is not None:
        given["config"] = f"{given['config']} (sha-256 {digest(given['config'])})"
    ledger = Ledger.read(place)
    if ledger is None:
        seed = given.get("manualSeed", secrets.randbelow(2**31))
        ledger = Ledger(place, "train", {"flags": given, "seed": seed})
    else:
        path = ledger.path
        if ledger.command != "train":
            raise UsageError(f"`output_dir`: {path} is of a {ledger.command}; name another folder")
        check_same(ledger.about.get("flags") or {}, given, path)
        ledger.about["flags"] = given
    known = {str(entry.get("picture")): name for name, entry in ledger.entries.items()}
    for name, picture in name_pictures(pictures, known).items():
        entry = ledger.entries.setdefault(name, {"picture": str(picture), "state": "waiting"})
        if entry["state"] != "done" or not place.has(name):
            entry["state"] = "waiting"
            entry.pop("why", None)
    gone = set(known) - {str(picture) for picture in pictures}
    if gone:
        log.info("%d pictures of last time are not among these: they stay as they are", len(gone))
    ledger.write(at_once=True)
    return ledger
