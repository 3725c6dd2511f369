"""Which trained models are meant: run directories, folders of them, patterns."""

from __future__ import annotations

import glob
import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ConSinGAN import saved
from ConSinGAN.errors import UsageError
from ConSinGAN.fleet import options
from ConSinGAN.fleet.ledger import Ledger
from ConSinGAN.fleet.place import FolderPlace
from ConSinGAN.pictures.finding import natural

log = logging.getLogger(__name__)

TIMESTAMP = re.compile(r"[0-9]{4}(_[0-9]{2}){5}_")  # how main_train.py lets a run's name begin
MAX_HEADER = 10 * 2**20  # bytes


def find(words: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """The run directories that names, folders and patterns stand for, and the folders among these.

    Each once, as absolute paths. Of a folder, runs that are not finished are left out; a run that
    is named itself is there whatever its state. Raises UsageError if a word stands for none.
    """
    found: dict[Path, None] = {}
    folders: dict[Path, None] = {}
    for word in words:
        path = Path(word).expanduser()
        if glob.has_magic(word) and not _is_folder(path):
            matches = glob.glob(str(path), recursive=True)  # noqa: PTH207 (** and absolute)
            meant = sorted((Path(m) for m in matches if Path(m).is_dir()), key=natural)
            runs = [run for match in meant for run in _runs_of(match, folders)]
            if not runs:
                raise UsageError(f"{word}: no finished run is called so")
        elif _is_folder(path):
            runs = _runs_of(path, folders)
            if not runs:
                raise UsageError(f"{word}: there is no finished run in this folder")
        else:
            raise UsageError(f"{word}: there is no such run directory or folder of runs")
        found |= dict.fromkeys(runs)
    return list(found), list(folders)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # too long, not a name
        return False


def _runs_of(path: Path, folders: dict[Path, None]) -> list[Path]:
    """A run itself, or all finished runs of a folder, which is then added to `folders`."""
    path = options.in_full(path)
    if (path / saved.CONFIG).is_file():
        return [path]
    inside = list(_inside(path))
    done = [run for run, is_done in inside if is_done or _is_usable(run)]
    if len(done) < len(inside):
        log.info("%s: %d runs are not finished, and left out", path, len(inside) - len(done))
    if done:
        folders[path] = None
    return done


def _inside(folder: Path) -> Iterator[tuple[Path, bool]]:
    """All runs of a folder, and whether they are known to be finished."""
    ledger = Ledger.read(FolderPlace(folder))
    entries = ledger.all_entries() if ledger else {}
    named = {
        folder / name: entry["state"] == "done" and "stopped_early" not in entry
        for name, entry in entries.items()
    }
    there = {run: done for run, done in named.items() if (run / saved.CONFIG).is_file()}
    if there:
        yield from there.items()
        return
    configs = [*folder.glob(f"*/{saved.CONFIG}"), *folder.glob(f"*/*/{saved.CONFIG}")]
    runs = (config.parent for config in configs)
    shown = [r for r in runs if not any(p.startswith(".") for p in r.relative_to(folder).parts)]
    for run in sorted(shown, key=lambda run: (natural(run.parent), natural(run))):
        yield run, False


def _is_usable(path: Path) -> bool:
    """Whether a run is finished; one that cannot be read counts, so that somebody hears of it."""
    from ConSinGAN.run import RunDirectory

    try:
        return RunDirectory(path).is_finished(saved.read_config(path))
    except UsageError:
        return True


def home_of(runs: Sequence[Path], folders: Sequence[Path], output_dir: str | None) -> Path:
    """Where ledger, tables and contact sheets belong.

    Raises UsageError if that cannot be told without `output_dir`.
    """
    if output_dir is not None:
        home = Path(output_dir).expanduser().absolute()
        if any(run in (home, *home.parents) for run in runs):
            raise UsageError(f"`output_dir` {output_dir}: is in a run directory; name another one")
        return home
    if len(folders) == 1 and all(folders[0] in run.parents for run in runs):
        return folders[0]
    parents = {run.parent for run in runs}
    if len(parents) == 1:
        return parents.pop()
    raise UsageError("`output_dir` is needed, for what tells of all: the runs are of many folders")


def short_name(run: Path) -> str:
    """What a run is called: its folder, or the picture's where that is only a time and settings."""
    return run.parent.name if TIMESTAMP.match(run.name) else run.name


def fingerprint(run: Path) -> str:
    """A text that changes with a run's settings, weights and pictures.

    It is made of the checksums that the files carry, which are not compared with their content.
    """
    stages = [int(path.name) for path in run.glob("[0-9]*") if path.name.isdecimal()]
    files = [f"{max(stages, default=0)}/netG", "noise", "reals", "picture", "holes"]
    digest = hashlib.sha256(_start(run / saved.CONFIG, whole=True))
    for name in files:
        digest.update(name.encode() + _start(run / f"{name}.safetensors"))
    return digest.hexdigest()


def _start(path: Path, whole: bool = False) -> bytes:
    """A file's header, or all of it; nothing if it cannot be read."""
    try:
        with path.open("rb") as file:
            if whole:
                return file.read(MAX_HEADER)
            size = int.from_bytes(file.read(8), "little")
            return b"" if size > MAX_HEADER else file.read(size)
    except OSError:
        return b""
