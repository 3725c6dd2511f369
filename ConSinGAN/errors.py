"""What can go wrong for a reason that the user can mend, and how the scripts say it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import ClassVar

from ConSinGAN import console

MAX_MESSAGE = 1000
OPTION = re.compile(r"(?<![^\s(/])`([A-Za-z]\w*)`")  # how a message marks an option's name


class ConSinGANError(Exception):
    """A failure with a message for the user: one line, names the option or file, says what to do.

    Options are marked in the message, "`niter` must be at least 1": as an exception's text that is
    "niter must be at least 1", and only scripts, whose options are flags, say "--niter ...".
    """

    exit_code = 1
    prefix: ClassVar[str] = "error: "  # before the message on the screen

    def __init__(self, message: str) -> None:
        """message: made one line of at most MAX_MESSAGE characters, whatever was typed."""
        line = " ".join(message.splitlines())
        if len(line) > MAX_MESSAGE:
            line = f"{line[: MAX_MESSAGE // 2]} … {line[-MAX_MESSAGE // 2 + 3 :]}"
        self.marked = line
        super().__init__(OPTION.sub(r"\1", line))

    @property
    def option(self) -> str | None:
        """The first option that the message names, if it names one."""
        found = OPTION.search(self.marked)
        return found[1] if found else None

    def for_scripts(self) -> str:
        """The message with options as they are typed."""
        return OPTION.sub(r"--\1", self.marked)


class UsageError(ConSinGANError):
    """Wrong flags or wrong input files; nothing has been done yet."""

    exit_code = 2


def describe(error: Exception) -> str:
    """Any error in one line; one of the system with the file's name, if it has one."""
    if not isinstance(error, OSError):
        return str(error).partition("\n")[0] or type(error).__name__
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


@contextlib.contextmanager
def stopping_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process with one line, also in the middle of an import.

    Training replaces this by its own way to stop; files are written whole or not at all.
    """

    def stop(signum: int, frame: FrameType | None) -> None:
        with contextlib.suppress(OSError):
            os.write(2, b"interrupted\n")
        os._exit(128 + signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run_script(main: Callable[[], None]) -> int:
    """Run a script's main function and return its exit code (0 done, 1 failed, 2 wrong usage).

    Errors meant for the user become one line on stderr; anything else is a bug and keeps its
    traceback. A screen that is closed, gone or lacks a character fails nothing.
    """
    console.reserve_descriptors()
    try:
        with stopping_at_once():
            main()
            console.flush()
    except ConSinGANError as error:
        return _end(f"{error.prefix}{error.for_scripts()}", error.exit_code)
    except OSError as error:  # disk full, read-only or vanished directory
        return _end(f"error: {describe(error)}", 1)
    except KeyboardInterrupt:
        return _end("interrupted", 130)
    return 0


def _end(message: str, exit_code: int) -> int:
    """Say the last words, if anybody listens, and return the exit code."""
    with contextlib.suppress(OSError):
        console.say(message, sys.stderr)
    return exit_code
