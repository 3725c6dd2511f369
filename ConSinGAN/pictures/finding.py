"""Which files are meant: a picture's own name, or a folder of pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ConSinGAN.errors import UsageError
from ConSinGAN.pictures import formats

EXTENSIONS = ("png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "gif")


def find_pictures(path: str, flag: str) -> list[Path]:
    """A file itself; of a folder the pictures in it, by name, numbers in their own order."""
    if not path:
        raise UsageError(f"{flag}: the name is empty")
    try:
        if not Path(path).is_dir():
            return [formats.check_file(path, flag)]
        found = [file for file in Path(path).iterdir() if is_picture(file)]
    except (OSError, ValueError) as error:  # too long, not allowed, not a name
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{flag} {path!a}: {reason}") from error
    if not found:
        raise UsageError(f"{flag} {path}: there is no picture in this folder")
    return sorted(found, key=natural)


def is_picture(file: Path) -> bool:
    """Whether a file is called like a picture, and is not hidden."""
    known = file.suffix.lstrip(".").lower() in EXTENSIONS
    return known and not file.name.startswith(".") and file.is_file()


def natural(path: Path) -> list[Any]:
    """A sorting key by which gen_sample_2 comes before gen_sample_10."""
    parts = re.split("([0-9]+)", path.name)  # every second one is a number
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]
