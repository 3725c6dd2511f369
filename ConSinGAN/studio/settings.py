"""The settings that a drawing carries, read from a file that may be a stranger's."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ConSinGAN.atomic import checksum
from ConSinGAN.errors import UsageError
from ConSinGAN.evaluation import SCHEMA
from ConSinGAN.options import check_value, parse_yaml

if TYPE_CHECKING:
    from ConSinGAN.studio.models import Models

__all__ = ["Settings", "as_values", "checksum", "read"]

LARGEST = 2**18  # bytes of settings, of which there are usually 300
FILE = 2**28  # bytes of a picture that carries some
DIGEST = re.compile(r"[0-9a-f]{64}")
WHAT = "the file"  # what error messages call it
KEYWORD = "ConSinGAN"  # of the text in a picture


@dataclass(frozen=True)
class Settings:
    """What a drawing was made with, checked: nothing in it is a path.

    model: the last part of the run directory's name. values: options, and the seed. files: the
    checksums of pictures that it was given, by option. drawing: its name, "" if not known.
    """

    model: str
    task: str
    values: Mapping[str, Any]
    files: Mapping[str, str]
    names: Mapping[str, str]
    drawing: str = ""

    def find_model(self, models: Models) -> str:
        """The id of the model that is called so. Raises UsageError if there is none."""
        paths = models.paths()
        found = [key for key, path in paths.items() if path.name == self.model]
        if not found:
            raise UsageError(f"there is no model {self.model!a} here; open it in Models first")
        return found[0]


def read(path: Path) -> Settings:
    """The settings in a PNG or TIFF, or of a settings.yaml. Raises UsageError if there are none."""
    text = _text_of(path)
    if len(text.encode("utf-8", "replace")) > LARGEST:
        raise UsageError(f"{WHAT}: its settings are too large to be true")
    values = parse_yaml(_without_aliases(text), WHAT)
    return _checked(values)


def _text_of(path: Path) -> str:
    """The text that holds the settings; pixels are not decoded."""
    if path.stat().st_size > FILE:
        raise UsageError(f"{WHAT}: too large")
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith((b"\x89PNG", b"II", b"MM")):
        return _embedded(path)
    if path.stat().st_size > LARGEST:
        raise UsageError(f"{WHAT}: neither a picture of this toolkit nor its settings.yaml")
    try:
        return path.read_text(encoding="utf-8")
    except ValueError as error:
        raise UsageError(f"{WHAT}: neither a picture of this toolkit nor its settings.yaml") from (
            error
        )


def _embedded(path: Path) -> str:
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes: nothing is decoded
            with Image.open(path, formats=("PNG", "TIFF")) as picture:
                text = _texts(picture)
    except Exception as error:  # whatever a broken picture makes Pillow raise
        raise UsageError(f"{WHAT}: cannot be read as a picture") from error
    if text is None:
        raise UsageError(f"{WHAT}: it carries no settings; was it changed by another program?")
    return text


def _texts(picture: Any) -> str | None:
    text = getattr(picture, "text", None)  # of PNG
    if isinstance(text, dict):
        return str(text[KEYWORD]) if KEYWORD in text else None
    about = picture.tag_v2.get(270) if hasattr(picture, "tag_v2") else None  # ImageDescription
    if not isinstance(about, str):
        return None
    found = re.match(rf"{KEYWORD}:?\s*\n?", about)
    return about[found.end() :] if found else about


def _without_aliases(text: str) -> str:
    """The text, if it cannot grow when it is read: no YAML of ours has anchors."""
    import yaml

    try:
        for number, event in enumerate(yaml.parse(text, yaml.SafeLoader)):
            if isinstance(event, yaml.AliasEvent) or number > 2000:
                raise UsageError(f"{WHAT}: not the settings of a drawing")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{WHAT}: not the settings of a drawing") from error
    return text


def _checked(values: Mapping[str, Any]) -> Settings:
    """What is known of the values, each as the house wants it."""
    model, task = values.get("model"), values.get("task")
    if not (isinstance(model, str) and isinstance(task, str) and isinstance(task, str)):
        raise UsageError(f"{WHAT}: not the settings of a drawing")
    options, files = values.get("options") or {}, values.get("files") or {}
    if not isinstance(options, dict) or not isinstance(files, dict):
        raise UsageError(f"{WHAT}: not the settings of a drawing")
    check_value(SCHEMA.core, "task", task)
    good: dict[str, Any] = {"seed": check_value(SCHEMA.core, "seed", values.get("seed", 0))}
    precision = values.get("precision")
    if precision is not None:
        good["precision"] = check_value(SCHEMA.core, "precision", precision)
    names = {}
    for name, value in options.items():
        checked = SCHEMA.check({name: value})[name]
        if SCHEMA.is_path(name):
            names[name] = Path(str(checked).replace("\\", "/")).name[:100]
        else:
            good[name] = checked
    SCHEMA.check_owners(good, {"task": task})
    digests = {
        name: found
        for name, one in files.items()
        if isinstance(one, dict) and isinstance(found := one.get("sha256"), str)
        if name in names and DIGEST.fullmatch(found)
    }
    last = [part for part in re.split(r"[/\\]", model) if part not in ("", ".", "..")]
    drawing = values.get("drawing", "")
    return Settings(
        last[-1][:300] if last else "", task, good, digests, names,
        drawing[:300] if isinstance(drawing, str) else "",
    )  # fmt: skip


def as_values(settings: Settings) -> dict[str, Any]:
    """All that a form shows of them."""
    plain = dataclasses.asdict(settings)["values"]
    return {**plain, "task": settings.task}
