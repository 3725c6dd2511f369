"""Colours, fonts and pictures: the system's own or ours, so that nothing is fetched elsewhere."""

from __future__ import annotations

import base64
from pathlib import Path

import gradio as gr

from ConSinGAN import modes

FOLDER = Path(__file__).parent
PICTURES = FOLDER / "pictures"  # of what every mode does; `other` where there is none
SANS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def make_theme() -> gr.themes.Base:
    """The page's theme, light and dark."""
    return gr.themes.Base(
        primary_hue="teal", secondary_hue="teal", neutral_hue="stone", font=SANS, font_mono=MONO,
        radius_size="md", spacing_size="md",
    ).set(
        body_background_fill="*neutral_50", body_background_fill_dark="*neutral_950",
        block_background_fill="white", block_background_fill_dark="*neutral_900",
        block_border_width="1px", block_label_background_fill="white",
        block_label_background_fill_dark="*neutral_900", block_label_border_width="0px",
        block_title_text_weight="600", block_label_text_weight="600",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_600",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white", button_primary_text_color_dark="white",
    )  # fmt: skip


def make_css() -> str:
    """The page's look beyond the theme: the style sheet, and the pictures of the modes."""
    rules = []
    for place, name in enumerate(modes.names(), start=1):
        path = PICTURES / f"{name}.svg"
        content = (path if path.is_file() else PICTURES / "other.svg").read_bytes()
        picture = base64.b64encode(content).decode()
        rules.append(
            f"#train-mode label:nth-of-type({place})::before "
            f'{{ background-image: url("data:image/svg+xml;base64,{picture}"); }}'
        )
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    return "\n".join([style, *rules])


def make_head() -> str:
    """What the page's head gets: its own script."""
    return f"<script>{(FOLDER / 'page.js').read_text(encoding='utf-8')}</script>"
