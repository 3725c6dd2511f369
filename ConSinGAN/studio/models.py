"""Run directories below the models folder, which pages name by an id."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from ConSinGAN import lock, saved
from ConSinGAN.errors import UsageError
from ConSinGAN.studio import archives

SHEET = "sample_sheet.png"  # is there when a run is finished
DEPTH = 3  # folders below the models folder in which run directories are looked for


DATED = re.compile(
    r"(\d{4})_(\d\d)_(\d\d)_(\d\d)_(\d\d)_\d\d_([a-z_]+?)_(?:train_depth|fine-tune).*"
)


class Models:
    """The models folder, looked through anew each time: runs come from the command line, too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def paths(self) -> dict[str, Path]:
        """All run directories by id, the newest first."""
        found = {self.id_of(path): path for path in self._find(self.folder, DEPTH)}
        newest = {key: (path / saved.CONFIG).stat().st_mtime for key, path in found.items()}
        return {key: found[key] for key in sorted(found, key=lambda key: -newest[key])}

    def finished(self) -> dict[str, Path]:
        """The run directories of finished models by id, the newest first."""
        return {key: path for key, path in self.paths().items() if _is_finished(path)}

    def title(self, path: Path) -> str:
        """What a run directory is called in lists: its picture, what it is for, and when."""
        name = path.relative_to(self.folder).as_posix()
        found = DATED.fullmatch(path.name)
        if found is None or path.parent == self.folder:
            return name
        year, month, day, hour, minute, mode = found.groups()
        return f"{path.parent.name} · {mode} · {year}-{month}-{day} {hour}:{minute}"

    def id_of(self, path: Path) -> str:
        """The id of a run directory: its place below the models folder, unreadable."""
        name = path.relative_to(self.folder).as_posix()
        return hashlib.sha256(name.encode()).hexdigest()[:20]

    def path(self, key: object) -> Path:
        """The run directory of that id. Raises UsageError if there is none."""
        found = self.paths().get(key) if isinstance(key, str) else None
        if found is None:
            raise UsageError("the model is not there any more; choose another one")
        return found

    def delete(self, key: object, own: Path) -> None:
        """Remove a run directory. own: the studio's folder, where it goes first, in one step.

        Raises UsageError if it is not there or is in use.
        """
        path = self.path(key)
        if lock.is_held(path):
            raise UsageError("somebody is training this model right now")
        trash = own / "trash" / secrets.token_hex(8)
        try:
            trash.parent.mkdir(parents=True, exist_ok=True)
            path.rename(trash)
        except OSError as error:
            raise UsageError(f"it cannot be deleted: {error.strerror}") from error
        shutil.rmtree(trash, ignore_errors=True)
        for folder in (path.parent, trash.parent):
            with contextlib.suppress(OSError):  # not empty
                if folder != self.folder:
                    folder.rmdir()

    def pack(self, key: object, folder: Path) -> Path:
        """Write a run as a ZIP file into a folder. Raises UsageError if it is not there."""
        path = self.path(key)
        target = folder / f"{path.parent.name}_{path.name}"[:150]
        target = target.with_name(f"{target.name}.zip")
        for left in folder.glob("*.zip"):  # those before it are not asked for any more
            left.unlink(missing_ok=True)
        archives.pack(path, target)
        return target

    def open(self, file: Path, own: Path, check: Callable[[Path], None]) -> str:
        """Take a run from a ZIP file in; its id. Raises UsageError if anything is odd about it."""
        return self.id_of(archives.unpack(file, self.folder, own, check))

    def _find(self, folder: Path, depth: int) -> list[Path]:
        """Neither links nor hidden folders are followed."""
        found = []
        try:
            inner = sorted(folder.iterdir())
        except OSError:
            return []
        for path in inner:
            if path.name.startswith(".") or path.is_symlink() or not path.is_dir():
                continue
            config = path / saved.CONFIG
            if config.is_file() and not config.is_symlink():
                found.append(path)
            elif depth > 1:
                found += self._find(path, depth - 1)
        return found


def _is_finished(path: Path) -> bool:
    """Whether a run directory looks like a finished model's; opening it tells for sure."""
    return (path / SHEET).is_file() and not any(path.glob("checkpoint*"))
