"""The tab Models: what was trained, its details; ZIP files out and in."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from ConSinGAN.errors import ConSinGANError
from ConSinGAN.studio import asking, entries, texts, theme, training_view, uploads
from ConSinGAN.studio.entries import Entry
from ConSinGAN.studio.forms import as_note
from ConSinGAN.studio.services import Page, Studio

CLICK = "() => document.querySelector('#models-zip-file').click()"


def build(studio: Studio, page: Page) -> None:
    """Add the tab's components and events."""
    Models(studio, page)


class Models:
    """The components of one page's tab, and what happens there."""

    def __init__(self, studio: Studio, page: Page) -> None:
        self.studio, self.page = studio, page
        self.listed, self.seen = gr.State([]), gr.State("")  # ids in the gallery's order; its state
        with gr.Row(equal_height=False, elem_classes="sides"):
            with gr.Column(scale=6, min_width=360):
                self.search = gr.Textbox(
                    label=texts.SEARCH, placeholder=texts.SEARCH_HINT, max_lines=1, max_length=100,
                    elem_id="models-search",
                )  # fmt: skip
                self.none = gr.HTML(visible=False, padding=False, elem_id="models-none")
                self.gallery = gr.Gallery(
                    label=texts.MODELS, show_label=False, columns=3, allow_preview=False,
                    object_fit="cover", interactive=False, buttons=[], fit_columns=False,
                    elem_id="models-gallery", height="auto",
                )  # fmt: skip
                self.file = gr.UploadButton(
                    texts.OPEN_ZIP, file_types=[".zip"], elem_id="models-open"
                )
                self.file_note = gr.HTML(visible=False, padding=False, elem_id="models-open-note")
            with gr.Column(scale=7, min_width=360):
                self._details()
        self._connect()

    def _details(self) -> None:
        self.hint = gr.HTML(
            f'<p class="empty">{texts.CHOOSE_MODEL}</p>', padding=False, elem_id="models-hint"
        )
        with gr.Column(visible=False, elem_id="models-details") as self.details:
            self.facts = gr.HTML(padding=False)
            with gr.Row(elem_classes="actions"):
                self.draw = gr.Button(
                    texts.TAB_NAMES["draw"], variant="primary", min_width=90, elem_id="models-draw"
                )
                self.paint = gr.Button(
                    texts.TAB_NAMES["paint"], variant="primary", min_width=90,
                    elem_id="models-paint",
                )  # fmt: skip
                self.go_on = gr.Button(
                    texts.GO_ON, variant="primary", min_width=90, elem_id="models-go-on"
                )
                self.pack = gr.Button(texts.ZIP, min_width=90, elem_id="models-zip")
                self.delete = gr.Button(texts.DELETE, min_width=90, elem_id="models-delete")
            with gr.Row(visible=False, elem_classes="actions") as self.sure:
                self.question = gr.HTML(padding=False)
                self.really = gr.Button(
                    texts.DELETE_REALLY, variant="stop", min_width=90, elem_id="models-really"
                )
                self.keep = gr.Button(texts.KEEP, min_width=90, elem_id="models-keep")
            self.note = gr.HTML(visible=False, padding=False, elem_id="models-note")
            self.sheet = gr.Image(
                interactive=False, show_label=False, type="filepath", buttons=["fullscreen"],
                elem_id="models-sheet", container=False, alt_text=texts.SHEET,
            )  # fmt: skip
        self.zip = gr.DownloadButton(texts.ZIP, elem_id="models-zip-file", visible="hidden")

    # Events -----------------------------------------------------------------------------------

    def _connect(self) -> None:
        quiet: dict[str, Any] = {"show_progress": "hidden"}
        gallery = [self.none, self.gallery, self.listed, self.seen]
        listing: Any = (self._list, [self.search, self.seen, self.listed], gallery)
        chosen = self.page.chosen
        shown = [
            self.hint, self.details, self.facts, self.draw, self.paint, self.go_on, self.sure,
            self.note, self.sheet,
        ]  # fmt: skip
        gr.on(
            [self.page.blocks.load, self.page.places["models"].select, self.search.input],
            *listing, trigger_mode="always_last", **quiet,
        )  # fmt: skip
        self.gallery.select(self._select, [self.listed], [chosen], **quiet)
        chosen.change(self._show, [chosen], shown, **quiet)
        self.page.places["models"].select(self._show, [chosen], shown, **quiet)
        self.draw.click(lambda: gr.Tabs(selected="draw"), None, [self.page.tabs], **quiet)
        self.paint.click(lambda: gr.Tabs(selected="paint"), None, [self.page.tabs], **quiet)
        self.go_on.click(self._go_on, [chosen], [self.page.tabs, self.note], **quiet)
        self.delete.click(self._ask, [chosen], [self.sure, self.question], **quiet)
        self.keep.click(lambda: gr.update(visible=False), None, [self.sure], **quiet)
        self.really.click(self._delete, [chosen], [chosen, self.note, self.sure], **quiet).then(
            *listing, **quiet
        )
        self.pack.click(self._pack, [chosen], [self.zip, self.note]).success(
            None, None, None, js=CLICK
        )
        self.file.upload(self._open, [self.file], [self.file_note, chosen], preprocess=False).then(
            *listing, **quiet
        )

    # The gallery ------------------------------------------------------------------------------

    def _list(self, search: str, seen: str, listed: list[str]) -> list[Any]:
        paths = self.studio.models.paths()
        words = str(search or "").lower().split()
        found = {}
        for key, path in paths.items():
            entry = entries.read(path)
            about = " ".join([entry.title, entry.mode, _mode(entry), entry.day]).lower()
            if all(word in about for word in words):
                found[key] = entry
        thumbnails = self.studio.trainings.folder / "thumbnails"
        pictures = []
        for key, entry in found.items():
            thumbnail = entry.thumbnail(thumbnails) or theme.PICTURES / "none.png"
            state = "" if entry.is_finished else f" ({texts.UNFINISHED})"
            pictures.append((str(thumbnail), f"{entry.title} · {_mode(entry)}{state}", key))
        now = repr(pictures)
        if now == seen:
            return [gr.skip(), gr.skip(), listed, seen]
        text = texts.NO_MATCH if paths else texts.NO_MODELS_YET
        return [
            gr.update(value=f'<p class="empty">{text}</p>', visible=not found),
            gr.update(
                value=[row[:2] for row in pictures], selected_index=None, visible=bool(found)
            ),
            list(found),
            now,
        ]

    def _select(self, listed: list[str], event: gr.SelectData) -> Any:
        index = event.index
        good = isinstance(index, int) and 0 <= index < len(listed)
        return listed[index] if good else gr.skip()

    # The chosen one ---------------------------------------------------------------------------

    def _show(self, chosen: str) -> list[Any]:
        try:
            entry = entries.read(self.studio.models.path(chosen))
        except (ConSinGANError, OSError):
            hidden = gr.update(visible=False)
            return [gr.update(visible=True), hidden, *[gr.skip()] * 4, hidden, hidden, gr.skip()]
        draws = paints = False
        if entry.config is not None and entry.is_finished:
            draws = bool(asking.suited(entry.config))
            paints = bool(asking.suited(entry.config, given=True))
        unfinished = entry.config is not None and not entry.is_finished
        idle = unfinished and self.studio.trainings.using(entry.path) is None
        sheet = entry.sheet
        return [
            gr.update(visible=False),
            gr.update(visible=True),
            _facts(entry),
            gr.update(visible=draws),
            gr.update(visible=paints),
            gr.update(visible=idle),
            gr.update(visible=False),
            gr.update(visible=False),
            gr.update(value=None if sheet is None else str(sheet), visible=sheet is not None),
        ]

    def _go_on(self, chosen: str) -> list[Any]:
        try:
            path = self.studio.models.path(chosen)
            entry = entries.read(path)
            known = [job for job in self.studio.trainings.list() if job.run == path]
            if known:
                self.studio.trainings.go_on(known[-1].id)
            else:
                self.studio.trainings.add(entry.title, entry.mode, "", {}, path)
        except ConSinGANError as error:
            return [gr.skip(), _note(error)]
        return [gr.Tabs(selected="train"), _note()]

    def _ask(self, chosen: str) -> list[Any]:
        try:
            title = entries.read(self.studio.models.path(chosen)).title
        except ConSinGANError:
            return [gr.update(visible=False), ""]
        return [gr.update(visible=True), html.escape(texts.SURE.format(title=title))]

    def _delete(self, chosen: str) -> list[Any]:
        try:
            path = self.studio.models.path(chosen)
            if self.studio.trainings.using(path) is not None:
                return [gr.skip(), _note(text=texts.BUSY), gr.update(visible=False)]
            self.studio.models.delete(chosen, self.studio.trainings.folder)
        except ConSinGANError as error:
            return [gr.skip(), _note(error), gr.update(visible=False)]
        for job in self.studio.trainings.list():
            if job.run == path:
                self.studio.trainings.forget(job.id)
        return ["", _note(), gr.update(visible=False)]

    def _pack(self, chosen: str, request: gr.Request) -> list[Any]:
        try:
            return [str(self.studio.models.pack(chosen, self.studio.sessions.of(request))), _note()]
        except (ConSinGANError, OSError):
            raise gr.Error(texts.NO_ZIP) from None  # a text of ours: it is shown as HTML

    def _open(self, value: Any) -> list[Any]:
        try:
            upload = uploads.taken(value, self.studio.sessions.uploads)
            if upload is None:
                return [_note(), gr.skip()]
            key = self.studio.models.open(
                upload.path, self.studio.trainings.folder, self.studio.worker.check_model
            )
        except ConSinGANError as error:
            return [_note(error), gr.skip()]
        return [_note(), key]


def _mode(entry: Entry) -> str:
    return texts.MODES.get(entry.mode, entry.mode)


def _facts(entry: Entry) -> str:
    """HTML: what is known of a model."""
    if entry.config is None:
        return f"<h3>{html.escape(entry.title)}</h3>{as_note(entry.damage)}"
    size, config = entry.size, entry.config
    rows = {
        "mode": _mode(entry),
        "state": texts.FINISHED if entry.is_finished else texts.UNFINISHED,
        "size": f"{size[0]}x{size[1]}" if size else "",
        "stages": str(config.train_stages),
        "iterations": str(config.niter),
        "seed": str(config.manualSeed),
        "date": entry.day,
        "bytes": f"{entry.bytes / 2**20:.1f} MB",
        **{name: f"{value:.4g}" for name, value in entry.metrics.items()},
    }
    cells = "".join(
        f"<div><dt>{html.escape(texts.FACTS.get(name, name.replace('_', ' ')))}</dt>"
        f"<dd>{html.escape(value)}</dd></div>"
        for name, value in rows.items()
        if value
    )
    return (
        f'<div class="job"><h3>{html.escape(entry.title)}</h3></div><dl class="facts">{cells}</dl>'
    )


def _note(error: ConSinGANError | None = None, text: str = "") -> Any:
    text = training_view.sentence(error.marked) if error is not None else text
    return gr.update(value=as_note(text), visible=bool(text))
