"""The page: its tabs in order."""

from __future__ import annotations

import gradio as gr

from ConSinGAN.studio import texts
from ConSinGAN.studio.services import Page, Studio
from ConSinGAN.studio.tabs import draw, models, paint, train

TABS = {"train": train, "models": models, "draw": draw, "paint": paint}


def make_page(studio: Studio) -> gr.Blocks:
    """The whole page, not yet served."""
    blocks = gr.Blocks(title=texts.TITLE, analytics_enabled=False, fill_width=True)
    with blocks:
        chosen = gr.State("")
        with gr.Tabs(elem_id="tabs") as tabs:
            page = Page(blocks, tabs, chosen)
            for name, module in TABS.items():
                with gr.Tab(texts.TAB_NAMES[name], id=name) as page.places[name]:
                    module.build(studio, page)

        def ended(request: gr.Request) -> None:
            studio.sessions.end(request)

        blocks.unload(ended)
    for function in blocks.fns.values():
        function.api_visibility = "private"
    return blocks
