"""Objects in a store such as S3, through fsspec: whole or not there, with errors in one line.

Which store, where it is and who asks is fsspec's business: its files in ~/.config/fsspec, its
environment variables (FSSPEC_S3_ENDPOINT_URL), and those of the store's own libraries (AWS_*).
"""

from __future__ import annotations

import contextlib
import errno
import functools
import random
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ConSinGAN.errors import UsageError

URL = re.compile(r"([A-Za-z][A-Za-z0-9+.:-]+)://.*", re.DOTALL)  # no drive letter of Windows
ALONE = ("memory", "http", "https", "data", "github", "zip", "tar")  # of one process, or read-only
# What no waiting mends. The last is of `create`, and of no other.
PERMANENT = (FileNotFoundError, PermissionError, FileExistsError, NotImplementedError)

Result = TypeVar("Result")


def protocol_of(text: str) -> str | None:
    """The protocol of a URL; None if the text is none but the path of a folder."""
    found = URL.fullmatch(text)
    return found[1].lower() if found else None


def refuse_store(output_dir: str | None, scratch: str | None, instead: str) -> None:
    """Raise UsageError, naming the flag, where only a folder will do; instead: says so."""
    if scratch is not None:
        raise UsageError(f"`scratch`: {instead}")
    if output_dir is not None and protocol_of(output_dir) is not None:
        raise UsageError(f"`output_dir`: {instead}")


def check(url: str, flag: str = "`output_dir`") -> None:
    """Raise UsageError, naming the flag, if there is no way to such a store; asks nobody."""
    from fsspec.registry import get_filesystem_class, known_implementations

    protocol = protocol_of(url) or ""
    if protocol in ALONE or "::" in url:
        raise UsageError(f"{flag} {url}: is no store that many processes can write to")
    if not url.partition("://")[2].strip("/"):
        raise UsageError(f"{flag} {url}: lacks the bucket's name")
    try:
        get_filesystem_class(protocol)
    except ImportError as error:
        package = known_implementations[protocol]["class"].partition(".")[0]
        raise UsageError(
            f"{flag} {url}: needs the package {package}, which is not installed: pip install "
            f"{package}"
        ) from error
    except ValueError as error:
        raise UsageError(f"{flag} {url}: fsspec knows no {protocol}://") from error


@functools.lru_cache(maxsize=16)
def _open(url: str) -> tuple[Any, str]:
    """The file system of a URL and the path there. Others write, too: nothing is remembered."""
    from fsspec.core import url_to_fs

    return url_to_fs(url, use_listings_cache=False)


class ObjectStore:
    """The objects below one URL, by names with slashes.

    All methods raise OSError with the object's URL and the reason in one line; what a moment's
    failure may be is left to `patiently`.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def read(self, name: str) -> bytes:
        """The content of an object. Raises FileNotFoundError if there is none."""
        return self._ask(name, lambda fs, path: bytes(fs.cat_file(path)))

    def write(self, name: str, data: bytes) -> None:
        """Put an object there, or in the place of the one that is."""
        self._ask(name, lambda fs, path: fs.pipe_file(path, data))

    def create(self, name: str, data: bytes) -> bool:
        """Put an object there unless there is one; whether it was put.

        Raises NotImplementedError if the store cannot promise that.
        """

        def put(fs: Any, path: str) -> bool:
            try:
                fs.pipe_file(path, data, mode="create")
            except (TypeError, NotImplementedError):  # this kind of store knows no modes
                return False
            return True

        try:
            able = self._ask(name, put)
        except FileExistsError:
            return False
        except OSError as error:
            if "not implemented" in str(error).lower():  # this very store does not know the header
                raise NotImplementedError from error
            raise
        if not able:
            raise NotImplementedError
        return True

    def has(self, name: str) -> bool:
        """Whether there is such an object."""
        try:
            self._ask(name, lambda fs, path: fs.info(path))
        except FileNotFoundError:
            return False
        return True

    def sizes(self, name: str) -> dict[str, int]:
        """The bytes of all objects below a name, by what follows it."""

        def ask(fs: Any, path: str) -> dict[str, int]:
            found = fs.find(path, detail=True)
            return {
                key.removeprefix(f"{path}/"): int(about["size"])
                for key, about in found.items()
                if key.startswith(f"{path}/") and not key.endswith("/")
            }

        return self._ask(name, ask)

    def download(self, name: str, path: Path) -> None:
        """Write an object's content into a file."""
        self._ask(name, lambda fs, key: fs.get_file(key, str(path)))

    def remove(self, name: str) -> None:
        """Remove an object; that there is none is fine."""
        with contextlib.suppress(FileNotFoundError):
            self._ask(name, lambda fs, path: fs.rm_file(path))

    def _ask(self, name: str, ask: Callable[[Any, str], Result]) -> Result:
        end = f"/{name}" if name else ""
        try:
            fs, root = _open(self.url)
            return ask(fs, f"{root}{end}")
        except Exception as error:  # every store has kinds of its own
            raise _in_words(error, f"{self.url}{end}") from error


def _in_words(error: Exception, url: str) -> OSError:
    """Any error of a store as one of the system, which names the object and says why."""
    text = " ".join(str(error.strerror or error if isinstance(error, OSError) else error).split())
    if isinstance(error, NotImplementedError):
        return PermissionError(errno.ENOTSUP, "this kind of store cannot do that", url)
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, text or "there is no such object", url)
    if isinstance(error, FileExistsError):
        return FileExistsError(errno.EEXIST, text or "is there already", url)
    if isinstance(error, PermissionError):
        return PermissionError(errno.EACCES, f"not permitted with these credentials ({text})", url)
    if type(error).__name__ == "NoCredentialsError":
        return PermissionError(errno.EACCES, f"no credentials were found ({text})", url)
    return OSError(errno.EIO, text or type(error).__name__, url)


def patiently(seconds: float, action: Callable[[], Result]) -> Result:
    """Do something with a store, again after ever longer pauses if it fails for the moment.

    Raises the last OSError when about so many seconds have passed; one that no waiting mends (no
    such bucket, not permitted) at once.
    """
    end, pause = time.monotonic() + seconds, 0.5
    while True:
        try:
            return action()
        except PERMANENT:
            raise
        except OSError:
            if time.monotonic() + pause > end:
                raise
        time.sleep(pause * random.uniform(0.7, 1))  # not all at once
        pause = min(2 * pause, 10)


def within(seconds: float, action: Callable[[], Result], url: str) -> Result:
    """Do something with a store, but wait no longer than that. Raises OSError as it does, or so."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def act() -> None:
        try:
            results.append(action())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise OSError(errno.ETIMEDOUT, f"no answer within {seconds:.0f} seconds", url)
    return results[0]
