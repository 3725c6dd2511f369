"""Temporary files: a folder for each session, gone when it ends, when it is old, and at the end."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from pathlib import Path
from typing import Any

GUEST = "studio_guest"  # the cookie that tells browsers apart; see `guard`
LONGEST = 24 * 3600.0  # seconds that a file of a session is kept unused


class Sessions:
    """The folders of all sessions: a session is one page in one browser."""

    def __init__(self, folder: Path) -> None:
        """folder: of this program alone, in that of Gradio's temporary files."""
        self.folder = folder

    @property
    def uploads(self) -> Path:
        """Where Gradio puts what was uploaded."""
        return self.folder.parent

    def of(self, request: Any) -> Path:
        """The session's folder, made if it is not there; request: Gradio's."""
        path = self._path(request)
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def end(self, request: Any) -> None:
        """The page was closed: its files go."""
        shutil.rmtree(self._path(request), ignore_errors=True)

    def _path(self, request: Any) -> Path:
        """By cookie and page, so that who knows a page's name alone finds nothing."""
        guest = request.cookies.get(GUEST, "")
        key = hashlib.sha256(f"{guest}\n{request.session_hash}".encode()).hexdigest()
        return self.folder / key[:32]

    def sweep(self, older_than: float = LONGEST) -> None:
        """Remove sessions without a file that was written in the last `older_than` seconds."""
        if not self.folder.is_dir():
            return
        for path in list(self.folder.iterdir()):
            with contextlib.suppress(OSError):  # another thread removes it in this moment
                newest = max(file.stat().st_mtime for file in (path, *path.rglob("*")))
                if time.time() - newest > older_than:
                    shutil.rmtree(path, ignore_errors=True)
