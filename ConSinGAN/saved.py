"""The configuration that a run directory keeps: `config.yaml`, sealed by a checksum.

It has sections and a format number; see `migrate` for older ones. Like all that is asked of a run
before it is opened, this needs no torch.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import yaml

from ConSinGAN import migrate
from ConSinGAN.config import SCHEMA, TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.options import parse_yaml

CONFIG = "config.yaml"


def locate(path: str | Path, flag: str = "`model_dir`") -> Path:
    """The path of a run directory. Raises UsageError naming the flag if it is not one."""
    if not isinstance(path, (str, os.PathLike)):
        raise UsageError(f"{flag} takes the path of a run directory, not {path!r}")
    folder = Path(os.path.expanduser(path))  # noqa: PTH111 (a Path may raise)
    try:
        there = folder.is_dir()
    except (OSError, ValueError) as error:  # too long, not a name
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{flag} {str(path)!a}: {reason}") from error
    if not there:
        raise UsageError(f"{flag} {path}: there is no such directory")
    if not (folder / CONFIG).is_file():
        raise UsageError(f"{flag} {path}: is not a run directory (no config.yaml in it)")
    return folder


def inside(folder: Path, name: str) -> Path:
    """A path in a run directory. Raises UsageError if a link there leads out of it."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{path}: leads out of the run directory; refused")
    return path


def read_config(folder: Path) -> TrainConfig:
    """The configuration that a run was made with. Raises UsageError if it is damaged."""
    path = inside(folder, CONFIG)
    values = migrate.to_current(parse_yaml(unseal(path), path), str(path))
    SCHEMA.check(values, str(path))
    return SCHEMA.build(values)


def write_config(config: TrainConfig, about: Mapping[str, str]) -> bytes:
    """The content of config.yaml. about: what was true when the run was made."""
    document = {"format": migrate.FORMAT, **SCHEMA.sections(config), "about": dict(about)}
    return seal(yaml.safe_dump(document, sort_keys=False))


def seal(text: str) -> bytes:
    """A text with its own checksum as the last line, for `unseal`."""
    return f"{text}# sha256: {hashlib.sha256(text.encode()).hexdigest()}\n".encode()


def unseal(path: Path) -> str:
    """Read a sealed text. Raises UsageError if it was damaged or changed."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    body, mark, digest = data.rpartition(b"# sha256: ")
    if not mark or hashlib.sha256(body).hexdigest() != digest.decode("ascii", "replace").strip():
        raise UsageError(f"{path}: is damaged or was changed (its checksum is wrong)")
    return body.decode("utf-8")
