"""Run directories below the models folder, which pages name by an id."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ConSinGAN import saved
from ConSinGAN.errors import UsageError

DEPTH = 3  # folders below the models folder in which run directories are looked for


class Models:
    """The models folder, looked through anew each time: runs come from the command line, too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def paths(self) -> dict[str, Path]:
        """All run directories by id, the newest first."""
        found = {self.id_of(path): path for path in self._find(self.folder, DEPTH)}
        newest = {key: (path / saved.CONFIG).stat().st_mtime for key, path in found.items()}
        return {key: found[key] for key in sorted(found, key=lambda key: -newest[key])}

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
