"""What a script says, on streams that may be closed, gone or unable to spell it."""

from __future__ import annotations

import contextlib
import contextvars
import errno
import logging
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

Listener = Callable[[str, int, int | None], None]  # what is done, how many are, of how many

LINE_SECONDS = 10.0  # between lines of progress where there is no terminal

# Nobody reads any more: the pipe's other end, the terminal or the descriptor is gone.
_GONE = (errno.EPIPE, errno.EIO, errno.EBADF, errno.ESHUTDOWN)


def reserve_descriptors() -> None:
    """Put the null device where standard streams are closed.

    The next file that is opened would get a free descriptor 2, and what libraries print as errors
    would land in it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free one


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks at this stream; of one that is closed or odd: no."""
    try:
        return bool(stream.isatty())  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return False


def say(text: str, stream: TextIO | None) -> None:
    """Write a line. What the stream's encoding lacks is escaped; a stream that is gone is no error.

    Raises OSError where the line is lost for another reason: a full disk, say.
    """
    if stream is None:  # closed from the beginning; `print` would take stdout
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    with forgiving(stream):
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)


@contextlib.contextmanager
def forgiving(stream: TextIO | None) -> Iterator[None]:
    """Ignore that a stream is None, closed or has nobody at its other end.

    Raises OSError for another failure. Either way later writes, Python's own at its end among them,
    go nowhere.
    """
    try:
        yield
    except (AttributeError, ValueError):  # None, no stream at all, or closed
        pass
    except OSError as error:
        with contextlib.suppress(AttributeError, ValueError, OSError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())  # type: ignore[union-attr]
            os.close(null)
        if error.errno not in _GONE:
            raise


def flush() -> None:
    """Write out what the standard streams still hold, as `say` does."""
    for stream in (sys.stdout, sys.stderr):
        with forgiving(stream):
            stream.flush()


class StderrHandler(logging.Handler):
    """Sends messages to whatever sys.stderr is, through `say`."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end a run
            say(self.format(record), sys.stderr)


class Stderr:
    """sys.stderr for progress bars: whatever it is, writing to it does not fail."""

    def write(self, text: str) -> None:
        """Write, or do not."""
        with contextlib.suppress(OSError), forgiving(sys.stderr):
            sys.stderr.write(text)

    def flush(self) -> None:
        """Flush, or do not."""
        with contextlib.suppress(OSError), forgiving(sys.stderr):
            sys.stderr.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


def shows_progress() -> bool:
    """Whether there is a terminal for a progress bar, and it is wanted."""
    return is_terminal(sys.stderr) and log.isEnabledFor(logging.INFO)


_listener: contextvars.ContextVar[Listener | None] = contextvars.ContextVar(
    "listener", default=None
)


@contextlib.contextmanager
def telling(listener: Listener) -> Iterator[None]:
    """Meanwhile `progress` tells this listener, before each item, and shows nothing.

    What the listener raises ends the loop, which is a way to stop.
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def progress(items: Iterable[T], what: str, total: int | None, unit: str) -> Iterator[T]:
    """Pass items on and show how many came: a bar, or without a terminal a line now and then.

    what: is done with them; unit: what one of them is.
    """
    from tqdm import tqdm

    if (listener := _listener.get()) is not None:
        for number, item in enumerate(items):
            listener(what, number, total)
            yield item
        return
    if shows_progress():
        yield from tqdm(
            items, what, total, leave=False, unit=unit, dynamic_ncols=True, file=Stderr()
        )
        return
    shown = time.monotonic()
    for number, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - shown >= LINE_SECONDS:
            shown = time.monotonic()
            log.info("%s: %d/%s", what, number, "?" if total is None else total)


def command(*words: object) -> str:
    """A command line that this system's shell reads as these words."""
    texts = [str(word) for word in words]
    return subprocess.list2cmdline(texts) if os.name == "nt" else shlex.join(texts)


def in_words(seconds: float) -> str:
    """A time as people say it: 50 seconds, 4 minutes, 2.5 hours."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.{1 if seconds < 36000 else 0}f} hours"


def setup_logging(level: int = logging.INFO) -> None:
    """Send the package's messages to stderr as plain lines."""
    logging.raiseExceptions = False  # a full disk must not fill the screen
    package = logging.getLogger("ConSinGAN")
    if not package.handlers:
        handler = StderrHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        package.addHandler(handler)
        package.propagate = False
    package.setLevel(level)
