"""The page as a web application."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fastapi
import gradio as gr

from ConSinGAN.studio import theme
from ConSinGAN.studio.app import make_page
from ConSinGAN.studio.drawing import Artist
from ConSinGAN.studio.models import Models
from ConSinGAN.studio.options import StudioConfig
from ConSinGAN.studio.services import MAX_UPLOAD, Studio
from ConSinGAN.studio.sessions import Sessions


def make_site(config: StudioConfig, models: Path, folder: Path) -> Any:
    """An ASGI application; models: the models folder. folder: for temporary files."""
    listed = Models(models)
    # What is shown lies where Gradio serves files from, or it would be copied there, and stay.
    sessions = Sessions(folder / "gradio" / "sessions")
    studio = Studio(listed, sessions, Artist(listed))
    page = make_page(studio)
    site = gr.mount_gradio_app(
        fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None), page, path="/",
        auth=config.login, max_file_size=MAX_UPLOAD, ssr_mode=False, footer_links=[],
        run_history=False, enable_monitoring=False, show_error=False, mcp_server=False, pwa=False,
        allowed_paths=[], theme=theme.make_theme(), css_paths=[theme.STYLE],
    )  # fmt: skip
    page.is_running = page.has_launched = True  # or Gradio would not check paths that clients send
    return site
