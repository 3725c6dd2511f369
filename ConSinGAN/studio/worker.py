"""The studio's end of the line to `planner`: begun when it is first asked, anew if it has died."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.studio import planner
from ConSinGAN.studio.options import MAX_MEGAPIXELS


class Plan(NamedTuple):
    """What a training would be: seconds on this machine, the finest stage's (width, height)."""

    seconds: float
    size: tuple[int, int]
    stages: int
    niter: int
    preset: dict[str, Any]  # what the preset has chosen


class Worker:
    """Asks one question at a time. Use as a context manager."""

    def __init__(self, log: Path) -> None:
        """log: where what goes wrong there is written."""
        self._log = log
        self._asking = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._ended = self._warmed = False

    def __enter__(self) -> Worker:
        with self._asking:
            self._begin()  # torch is loaded while the page opens
        return self

    def warm(self) -> None:
        """Let the machine be measured, once; returns at once."""
        if not self._warmed:
            self._warmed = True
            threading.Thread(target=self._warm, daemon=True).start()

    def _warm(self) -> None:
        with contextlib.suppress(ConSinGANError):
            self._ask("warm")

    def __exit__(self, *exception: object) -> None:
        self._ended = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def plan(self, flags: dict[str, Any]) -> Plan:
        """What the training of these flags would be. Raises UsageError if they are wrong."""
        found = self._ask("plan", flags=flags)
        width, height = found["size"]
        return Plan(
            found["seconds"], (width, height), found["stages"], found["niter"], found["preset"]
        )

    def check_model(self, path: Path) -> None:
        """Raise UsageError if this is no whole, finished model."""
        self._ask("model", path=str(path))

    def check_picture(self, path: Path, shown: Path | None = None) -> None:
        """Raise UsageError if this is no picture; shown: where to write what a browser shows."""
        where = None if shown is None else str(shown)
        self._ask("picture", path=str(path), megapixels=MAX_MEGAPIXELS, shown=where)

    def _ask(self, name: str, **about: Any) -> dict[str, Any]:
        with self._asking:
            process = self._process
            if process is None or process.poll() is not None:
                process = self._begin()
            assert process.stdin is not None and process.stdout is not None
            line = ""
            with contextlib.suppress(OSError):
                print(json.dumps({"ask": name, "about": about}), file=process.stdin, flush=True)
                line = process.stdout.readline()
            if not line:
                process.kill()
                if self._ended:
                    raise ConSinGANError("the studio is ending")
                raise ConSinGANError("this machine had no memory left for that; try less")
        found = json.loads(line)
        if "error" in found:
            raise UsageError(found["error"])
        return found

    def _begin(self) -> subprocess.Popen:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", planner.__name__], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8",
                start_new_session=True,
            )  # fmt: skip
        return self._process
