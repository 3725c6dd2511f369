"""The tab Draw."""

from __future__ import annotations

import gradio as gr

from ConSinGAN.studio import texts
from ConSinGAN.studio.services import Page, Studio


def build(studio: Studio, page: Page) -> None:
    """Add the tab's components and events."""
    gr.HTML(texts.TAB_NAMES["draw"], padding=False)
