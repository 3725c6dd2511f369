"""The folder that an evaluation writes into: afterwards it holds exactly that evaluation's files.

`.manifest` there lists what was written, `<sha-256> <name>` a line. The next evaluation removes
what it lists and does not draw anew, if it is still what was written; nothing else is touched.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from pathlib import Path

from ConSinGAN import lock
from ConSinGAN.atomic import checksum, write_atomic
from ConSinGAN.errors import UsageError

log = logging.getLogger(__name__)

MANIFEST = ".manifest"
UNKNOWN = "-"  # in place of a checksum: the evaluation was stopped before it finished the file


class Results:
    """Where one evaluation writes. Open it as a context manager when all input is known to be good.

    Another evaluation that is at work in the folder is waited for. If this one fails, what both
    wrote stays and is listed.
    """

    def __init__(self, folder: Path, flag: str = "`output_dir`") -> None:
        """flag: what to blame, and to say, if the folder cannot be written."""
        self.folder, self.flag = folder, flag
        self._before: dict[str, str] = {}  # name: checksum, of the evaluations before
        self._names: dict[str, None] = {}  # of this one, in order
        self._open = contextlib.ExitStack()

    def why_unwritable(self) -> str | None:
        """Try whether files can be made in the folder, or it itself: None, or the reason."""
        try:
            there = self.folder
            while not there.exists() and there.parent != there:
                there = there.parent
            with tempfile.TemporaryFile(dir=there):
                return None
        except (OSError, ValueError) as error:
            return getattr(error, "strerror", None) or str(error)

    def path(self, name: str) -> Path:
        """Where to write the file `name`, "folder/picture.png" say; its folder is there.

        Raises UsageError if a link leads out of the results' folder.
        """
        path = self.folder / name
        for written in (path, self.folder / MANIFEST):
            if not self._inside(written):
                raise UsageError(f"{written}: leads out of {self.folder}; refused")
        path.parent.mkdir(parents=True, exist_ok=True)
        if name not in self._names:
            self._names[name] = None
            with (self.folder / MANIFEST).open("a", encoding="utf-8") as file:
                file.write(f"{UNKNOWN} {_escaped(name)}\n")
        return path

    def __enter__(self) -> Results:
        """Raises UsageError if the folder cannot be written."""
        if reason := self.why_unwritable():
            hint = "" if self.flag == "`output_dir`" else "; name another folder with `output_dir`"
            raise UsageError(f"{self.flag} {self.folder}: cannot be written: {reason}{hint}")
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._open.enter_context(lock.hold(self.folder, keep=False))
        except lock.InUse:
            log.info("%s: another evaluation is writing here; waiting for it", self.folder)
            self._open.enter_context(lock.hold(self.folder, seconds=-1, keep=False))
        self._before = listed(self.folder)
        return self

    def __exit__(self, *exception: object) -> None:
        with self._open:
            if exception[0] is None:
                self._tidy()

    def _tidy(self) -> None:
        stale = {name: digest for name, digest in self._before.items() if name not in self._names}
        removed = [name for name, digest in stale.items() if self._remove(name, digest)]
        if removed:
            log.info("%s: %d files of the evaluation before were removed (--output_dir keeps "
                     "evaluations apart)", self.folder, len(removed))  # fmt: skip
        lines = (f"{checksum(self.folder / name)} {_escaped(name)}\n" for name in self._names)
        write_atomic(self.folder / MANIFEST, "".join(lines).encode(), durable=False)

    def _remove(self, name: str, digest: str) -> bool:
        """Remove a file that an evaluation before wrote, unless it is somebody else's by now."""
        path = self.folder / name
        try:
            if not self._inside(path) or path.is_symlink() or not path.is_file():
                return False
            if digest not in (UNKNOWN, checksum(path)):
                return False
            path.unlink()
        except (OSError, ValueError) as error:
            log.info("%s: stays: %s", path, getattr(error, "strerror", None) or error)
            return False
        if path.parent != self.folder:
            with contextlib.suppress(OSError):  # what else is in it stays, and so does it
                path.parent.rmdir()
        return True

    def _inside(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.folder.resolve())


def listed(folder: Path) -> dict[str, str]:
    """The names of the files that the last evaluation wrote there, in order, and their checksums.

    Of one that did not finish, checksums may be UNKNOWN.
    """
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except (OSError, ValueError):  # none, or not ours
        return {}
    pairs = (line.split(" ", 1) for line in text.splitlines() if " " in line)
    found: dict[str, str] = {}
    for digest, name in pairs:
        name = _unescaped(name)
        found[name] = digest if found.get(name) != UNKNOWN else UNKNOWN
    return found


def _escaped(name: str) -> str:
    """A name on one line, whatever is in it."""
    return name.encode("unicode_escape").decode("ascii")


def _unescaped(name: str) -> str:
    try:
        return name.encode("ascii").decode("unicode_escape")
    except ValueError:
        return name
