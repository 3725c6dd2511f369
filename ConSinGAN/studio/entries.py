"""What is shown of a run directory, read without loading it: anybody's files, so never trusted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from ConSinGAN import atomic, saved
from ConSinGAN.config import SCHEMA, TrainConfig
from ConSinGAN.errors import UsageError

SHEET, REAL, METRICS = "sample_sheet.png", "real_scale.png", "Evaluation/metrics.yaml"
THUMBNAIL = 360  # pixels of the longer side
MOST_PIXELS = 100e6  # of a sheet
MOST_METRICS = 2**20  # bytes


@dataclass(frozen=True)
class Entry:
    """One run. date: seconds since 1970, when it was begun. size: (width, height) of its pictures.

    config: None, and `damage` says why, if that cannot be read.
    """

    path: Path
    date: float
    config: TrainConfig | None
    damage: str = ""

    @property
    def title(self) -> str:
        """What it is called: by its picture."""
        if self.config is None:
            return self.path.parent.name
        return Path(self.config.input_name.replace("\\", "/")).stem or self.path.parent.name

    @property
    def mode(self) -> str:
        """What it was trained for; empty if that is not known."""
        return self.config.train_mode if self.config is not None else ""

    @property
    def day(self) -> str:
        """The date in words."""
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(self.date))

    @property
    def is_finished(self) -> bool:
        """Whether its model can draw."""
        if self.config is None:
            return False
        last = self.path / f"{self.config.train_stages - 1}" / "netG.safetensors"
        return last.is_file() and not any(self.path.glob("checkpoint*.safetensors"))

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) of what it was trained on at its finest stage, if that is known."""
        stages = self.config.train_stages if self.config is not None else 0
        path = self._inside(f"{stages - 1}/{REAL}")
        try:
            with Image.open(path) as picture:
                return picture.size
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return None

    @property
    def bytes(self) -> int:
        """What it takes on disk."""
        files = (path for path in self.path.rglob("*") if path.is_file() and not path.is_symlink())
        return sum(path.stat().st_size for path in files)

    @property
    def sheet(self) -> Path | None:
        """The finished model at a glance, or the picture of the newest stage."""
        stages = self.config.train_stages if self.config is not None else 1
        names = [SHEET, *(f"{k}/{n}" for k in reversed(range(stages)) for n in (SHEET, REAL))]
        return next((path for path in map(self._inside, names) if path.is_file()), None)

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics that were measured of it, by name."""
        path = self._inside(METRICS)
        try:
            if path.stat().st_size > MOST_METRICS:
                return {}
            found = yaml.safe_load(path.read_text(encoding="utf-8"))["metrics"]
            return {str(name)[:40]: float(entry["value"]) for name, entry in found.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError,
                RecursionError):  # fmt: skip
            return {}

    @property
    def options(self) -> dict[str, Any]:
        """All values of its configuration."""
        return SCHEMA.flat(self.config) if self.config is not None else {}

    def thumbnail(self, folder: Path) -> Path | None:
        """A small picture of the sheet, made once; None if there is no sheet, or a broken one."""
        sheet = self.sheet
        if sheet is None:
            return None
        stamp = sheet.stat()
        name = f"{self.path.name[-24:]}-{stamp.st_mtime_ns:x}-{stamp.st_size:x}.png"
        target = folder / name
        if target.is_file():
            return target
        try:
            with Image.open(sheet) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    return None
                small = picture.convert("RGB")
                small.thumbnail((THUMBNAIL, THUMBNAIL))
            folder.mkdir(parents=True, exist_ok=True)
            with atomic.replacing(target) as temporary:
                small.save(temporary, "png")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return None
        return target

    def _inside(self, name: str) -> Path:
        """A path in the run directory; of a link that leads out of it one that is not there."""
        try:
            return saved.inside(self.path, name)
        except UsageError:
            return self.path / "refused"


def read(path: Path) -> Entry:
    """What is known of a run directory."""
    config = path / saved.CONFIG
    stamp = config.stat()
    return _read(path, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=2000)
def _read(path: Path, changed: int, size: int) -> Entry:
    try:
        return Entry(path, changed / 1e9, saved.read_config(path))
    except UsageError as error:
        return Entry(path, changed / 1e9, None, str(error))
