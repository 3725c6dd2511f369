"""What all tabs share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ConSinGAN.studio.drawing import Artist
from ConSinGAN.studio.models import Models
from ConSinGAN.studio.sessions import Sessions
from ConSinGAN.studio.trainings import Trainings
from ConSinGAN.studio.uploads import Pictures
from ConSinGAN.studio.worker import Worker

if TYPE_CHECKING:
    import gradio as gr


@dataclass(frozen=True)
class Studio:
    """The services behind the page, as long as the program runs."""

    models: Models
    sessions: Sessions
    trainings: Trainings
    worker: Worker
    pictures: Pictures
    artist: Artist


@dataclass(frozen=True)
class Page:
    """What tabs share of a page.

    chosen: holds the id of the chosen model, "" for none. tabs: `gr.Tabs(selected=...)` of one of
    the tabs' ids, as an event's output, turns to it. places: the tabs by id, for their `select`.
    """

    blocks: gr.Blocks
    tabs: gr.Tabs
    chosen: gr.State
    places: dict[str, gr.Tab] = field(default_factory=dict)
