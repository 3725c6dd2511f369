"""Pictures that were dropped on the page: only what Gradio has just received is one."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ConSinGAN.errors import UsageError
from ConSinGAN.pictures.finding import EXTENSIONS

LONGEST = 40  # characters of a picture's name
ODD = re.compile(r"[^\w.-]+")
SHOWN = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".avif")  # by every browser


@dataclass(frozen=True)
class Upload:
    """A file of the session's own. name: that it had on the user's machine."""

    path: Path
    name: str

    @property
    def stem(self) -> str:
        """A name for files and folders made of the user's, without the extension."""
        stem = ODD.sub("_", Path(self.name.replace("\\", "/")).stem).strip("._-")
        return stem[:LONGEST] or "picture"

    @property
    def extension(self) -> str:
        """Its extension, if it is a picture's; else none."""
        extension = Path(self.name).suffix.lower()
        return extension if extension.lstrip(".") in EXTENSIONS else ""

    @property
    def is_shown(self) -> bool:
        """Whether a browser can show it."""
        return self.extension in SHOWN


def taken(value: Any, folder: Path) -> Upload | None:
    """The upload that a component's raw value stands for; None if it is empty.

    folder: where Gradio puts uploads. Raises UsageError if it is not an ordinary file there.
    """
    if value is None:
        return None
    try:
        path = Path(value["path"])
        name = str(value.get("orig_name") or path.name)
        inside = path.resolve(strict=True).is_relative_to(folder.resolve())
        if inside and path.is_file() and not path.is_symlink():
            return Upload(path, name)
    except (KeyError, TypeError, AttributeError, OSError, ValueError):
        pass
    raise UsageError("the picture is not there any more; drop it again")


class Pictures:
    """The pictures that models are trained on: kept, so that a training can be done again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, upload: Upload) -> Path:
        """Copy it here, each picture into a folder of its own, so that none finds another's mask.

        The bytes stay what they were.
        """
        digest = hashlib.sha256()
        with upload.path.open("rb") as file:
            while part := file.read(2**20):
                digest.update(part)
        path = self.folder / digest.hexdigest()[:16] / f"{upload.stem}{upload.extension}"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name[:20]}.tmp")
            shutil.copyfile(upload.path, temporary)
            temporary.replace(path)
        return path
