"""The picture editor: what a page shows of it, and what a page sends as files of a session's."""

from __future__ import annotations

import html
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ConSinGAN.errors import UsageError
from ConSinGAN.studio import texts, uploads
from ConSinGAN.studio.options import MAX_MEGAPIXELS

SCRIPT = Path(__file__).with_name("editor.js")
PAGE = Path(__file__).with_name("editor.html")
# Puts what the editor holds in the place of the event's first input.
TAKE = "async (...given) => { given[0] = await window.studioEditor.take(); return given; }"
NAIVE, MASK = "composed.png", "composed_mask.png"  # what the files are called


@dataclass(frozen=True)
class Composed:
    """What was composed: files of a folder of their own, of one size. mask: white where edited."""

    picture: Path
    mask: Path | None


def make(value: dict[str, Any]) -> gr.HTML:
    """The component; value: what `showing` makes."""
    words = {name: html.escape(text) for name, text in texts.EDITOR.items()}
    page = PAGE.read_text(encoding="utf-8")
    for name, text in words.items():
        page = page.replace(f"[[{name}]]", text)
    return gr.HTML(
        value=value, html_template=page, js_on_load=SCRIPT.read_text(encoding="utf-8"),
        elem_id="paint-editor", padding=False,
    )  # fmt: skip


def showing(
    background: Path | None = None, target: str = "mask", only: bool = False, auto: bool = True
) -> dict[str, Any]:
    """A value of the component, which it heeds once.

    background: a picture to begin with; the one that is there stays, if None. target: what strokes
    are at first, "mask" or "colour". only: nothing else can be chosen. auto: whether what is
    painted and placed is in the mask.
    """
    value: dict[str, Any] = {
        "token": secrets.token_hex(8), "target": target, "only": only, "auto": auto,
    }  # fmt: skip
    if background is not None:
        value["background"] = {"path": str(background), "meta": {"_type": "gradio.FileData"}}
    return value


def composed(value: Any, folder: Path, into: Path) -> Composed:
    """The files that an editor's value names, copied, checked, and of one size.

    value: as the browser sent it. folder: where Gradio puts uploads. into: the session's. Raises
    UsageError if there is no picture, or if the files are none.
    """
    if not isinstance(value, dict):
        raise UsageError(texts.NO_PICTURE)
    picture = uploads.taken(value.get("picture"), folder)
    mask = uploads.taken(value.get("mask"), folder)
    if picture is None:
        raise UsageError(texts.NO_PICTURE)
    here = into / secrets.token_hex(8)
    here.mkdir(parents=True)
    pixels, size = _read(picture.path, "RGB")
    pixels.save(here / NAIVE)
    if mask is None:
        return Composed(here / NAIVE, None)
    levels, mask_size = _read(mask.path, "L")
    if mask_size != size:
        raise UsageError(texts.OTHER_SIZE)
    levels.point(lambda level: 255 if level >= 128 else 0).save(here / MASK)
    return Composed(here / NAIVE, here / MASK)


def _read(path: Path, mode: str) -> tuple[Any, tuple[int, int]]:
    """A PNG's pixels, and its (width, height)."""
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sizes are looked at here
            with Image.open(path, formats=("PNG",)) as picture:
                if picture.width * picture.height > MAX_MEGAPIXELS * 10**6:
                    raise UsageError(texts.TOO_LARGE)
                return picture.convert(mode), picture.size
    except UsageError:
        raise
    except Exception as error:  # whatever a broken picture makes Pillow raise
        raise UsageError(texts.NO_PICTURE) from error
