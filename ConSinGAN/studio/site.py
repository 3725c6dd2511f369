"""The page as a web application."""

from __future__ import annotations

from pathlib import Path

import fastapi
import gradio as gr

from ConSinGAN.studio import theme
from ConSinGAN.studio.addresses import Addresses
from ConSinGAN.studio.app import make_page
from ConSinGAN.studio.guard import Guard
from ConSinGAN.studio.options import MAX_UPLOAD, StudioConfig
from ConSinGAN.studio.services import Studio


class Site:
    """application: speaks ASGI. addresses: whose temporary files are whose."""

    def __init__(self, config: StudioConfig, studio: Studio, folder: Path) -> None:
        """folder: Gradio's, GRADIO_TEMP_DIR."""
        folder.mkdir(parents=True, exist_ok=True)
        self.addresses = Addresses(folder)
        page = make_page(studio)
        # What events may show; what is served is a matter of `guard` alone.
        shown = [str(studio.models.folder), str(theme.PICTURES)]
        app = gr.mount_gradio_app(
            fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None), page, path="/",
            auth=config.login, max_file_size=MAX_UPLOAD, ssr_mode=False, footer_links=[],
            run_history=False, enable_monitoring=False, show_error=False, mcp_server=False,
            pwa=False, allowed_paths=shown, theme=theme.make_theme(), css=theme.make_css(),
            head=theme.make_head(),
        )  # fmt: skip
        page.is_running = page.has_launched = True  # or Gradio trusts paths that clients send
        self.addresses.publish()
        self.application = Guard(app, self.addresses, config.host)
