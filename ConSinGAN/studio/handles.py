"""Handles to drag a size, or how far a picture goes on; the numbers stay the form's."""

from __future__ import annotations

import html
import secrets
from pathlib import Path
from typing import Any

import gradio as gr

from ConSinGAN.studio import texts

SCRIPT = Path(__file__).with_name("handles.js")
PAGE = Path(__file__).with_name("handles.html")


def make(prefix: str) -> gr.HTML:
    """The component; its value is what `showing` makes."""
    page = PAGE.read_text(encoding="utf-8")
    for name, text in texts.HANDLES.items():
        page = page.replace(f"[[{name}]]", html.escape(text))
    return gr.HTML(
        value={}, html_template=page, js_on_load=SCRIPT.read_text(encoding="utf-8"),
        elem_id=f"{prefix}-handles", padding=False,
    )  # fmt: skip


def showing(
    prefix: str, kind: str | None, size: tuple[int, int] = (1, 1), picture: Path | None = None
) -> dict[str, Any]:
    """A value of the component, which it heeds once.

    prefix: of the form's ids. kind: what is dragged: "extend", "size", or None for nothing. size:
    (h, w) of the picture.
    """
    value: dict[str, Any] = {
        "token": secrets.token_hex(8), "prefix": prefix, "kind": kind, "height": size[0],
        "width": size[1],
    }  # fmt: skip
    if picture is not None:
        value["picture"] = {"path": str(picture), "meta": {"_type": "gradio.FileData"}}
    return value
