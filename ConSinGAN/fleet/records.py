"""What is known of each run's drawings or metrics: a small YAML file and small pictures a run.

They lie in the folder that the work belongs to, `.fleet/<command>/<run>.yaml` and so on. A record
is written by the one who did the work, when it is done: so nothing is done twice, however a fleet
ends.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ConSinGAN.atomic import write_atomic
from ConSinGAN.fleet.place import INNER

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Records:
    """Those of one command in one folder."""

    folder: Path
    command: str

    def _path(self, name: str, ending: str) -> Path:
        return self.folder / INNER / self.command / f"{name}{ending}"

    def read(self, name: str, key: str) -> dict[str, Any] | None:
        """What is known of a run; None if it was found out under another key, or is not whole."""
        try:
            text = self._path(name, ".yaml").read_text(encoding="utf-8")
            content = yaml.load(text, _Loader)
        except (OSError, ValueError, yaml.YAMLError):
            return None
        if not isinstance(content, dict) or content.get("key") != key:
            return None
        known = isinstance(content.get("pictures"), int)
        return content if known and all(p.is_file() for p in self.pictures(name, content)) else None

    def pictures(self, name: str, content: Mapping[str, Any]) -> list[Path]:
        """The small pictures of a run."""
        return [self._path(name, f"_{number}.png") for number in range(content["pictures"])]

    def write(self, name: str, key: str, facts: Mapping[str, Any], pngs: Iterable[bytes]) -> None:
        """Write down what is known of a run, its pictures first. Raises OSError."""
        self._path(name, "").parent.mkdir(parents=True, exist_ok=True)
        number = 0
        for number, data in enumerate(pngs, start=1):
            write_atomic(self._path(name, f"_{number - 1}.png"), data, durable=False)
        content = {"key": key, "pictures": number, **facts}
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
        write_atomic(self._path(name, ".yaml"), text.encode(), durable=False)


def key_of(*parts: Any) -> str:
    """A text that stands for plain values: other values, another text."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
