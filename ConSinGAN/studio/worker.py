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
    """Asks; what takes long of one process, what is quick of another. Use as a context manager."""

    def __init__(self, log: Path) -> None:
        """log: where what goes wrong there is written."""
        self._slow, self._quick = _Line(log), _Line(log)
        self._warmed = False

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self._slow.end()
        self._quick.end()

    def warm(self) -> None:
        """Let the processes begin and the machine be measured, once; returns at once."""
        if not self._warmed:
            self._warmed = True
            for line in (self._quick, self._slow):
                name = "warm" if line is self._slow else "awake"
                threading.Thread(target=line.try_to_ask, args=(name,), daemon=True).start()

    def plan(self, flags: dict[str, Any]) -> Plan:
        """What the training of these flags would be. Raises UsageError if they are wrong."""
        found = self._slow.ask("plan", flags=flags)
        width, height = found["size"]
        return Plan(
            found["seconds"], (width, height), found["stages"], found["niter"], found["preset"]
        )

    def check(self, flags: dict[str, Any]) -> None:
        """Raise UsageError if such a training cannot begin; quicker than `plan`."""
        self._quick.ask("check", flags=flags)

    def check_model(self, path: Path) -> None:
        """Raise UsageError if this is no whole, finished model."""
        self._quick.ask("model", path=str(path))

    def check_picture(self, path: Path, shown: Path | None = None) -> None:
        """Raise UsageError if this is no picture; shown: where to write what a browser shows."""
        where = None if shown is None else str(shown)
        self._quick.ask("picture", path=str(path), megapixels=MAX_MEGAPIXELS, shown=where)


class _Line:
    """A process that answers one question after the other; begun with the first of them."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._asking = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._ended = False

    def ask(self, name: str, **about: Any) -> dict[str, Any]:
        """The answer. Raises UsageError if that is what it is; ConSinGANError if it dies of it."""
        with self._asking:
            process = self._process
            if process is None or process.poll() is not None:
                process = self._begin()
            assert process.stdin is not None and process.stdout is not None
            line = ""
            with contextlib.suppress(OSError, ValueError):
                print(json.dumps({"ask": name, "about": about}), file=process.stdin, flush=True)
                line = process.stdout.readline()
            if not line:
                self._close()
                why = "the studio is ending" if self._ended else "there was no memory left for that"
                raise ConSinGANError(why)
        found = json.loads(line)
        if "error" in found:
            raise UsageError(found["error"])
        return found

    def try_to_ask(self, name: str) -> None:
        """Ask, whatever comes of it."""
        with contextlib.suppress(ConSinGANError):
            self.ask(name)

    def end(self) -> None:
        """End the process."""
        self._ended = True
        self._close()

    def _close(self) -> None:
        """Kill the process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def _begin(self) -> subprocess.Popen:
        self._close()
        if self._ended:
            raise ConSinGANError("the studio is ending")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", planner.__name__], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8",
                start_new_session=True,
            )  # fmt: skip
        return self._process
