"""What can go wrong for a reason that the user can mend, and how the scripts say it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

MAX_MESSAGE = 1000


class ConSinGANError(Exception):
    """A failure with a message for the user: one line, names the flag or file, says what to do."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        """message: made one line of at most MAX_MESSAGE characters, whatever was typed."""
        line = " ".join(message.splitlines())
        if len(line) > MAX_MESSAGE:
            line = f"{line[: MAX_MESSAGE // 2]} … {line[-MAX_MESSAGE // 2 + 3 :]}"
        super().__init__(line)


class UsageError(ConSinGANError):
    """Wrong flags or wrong input files; nothing has been done yet."""

    exit_code = 2


def describe(error: OSError) -> str:
    """An error of the system with the file's name, if it has one."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


@contextlib.contextmanager
def stopping_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process with one line, also in the middle of an import.

    Training replaces this by its own way to stop; files are written whole or not at all.
    """

    def stop(signum: int, frame: FrameType | None) -> None:
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
    traceback.
    """
    try:
        with stopping_at_once():
            main()
    except ConSinGANError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:  # disk full, read-only or vanished directory
        print(f"error: {describe(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0
