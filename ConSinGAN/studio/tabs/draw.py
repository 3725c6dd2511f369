"""The tab Draw: what the chosen model can draw without being given a picture to work on."""

from __future__ import annotations

import html
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.studio import asking, handles, settings, texts
from ConSinGAN.studio.forms import as_note
from ConSinGAN.studio.services import Page, Studio
from ConSinGAN.studio.showing import KEPT, LIMIT, Showing, Updates, hidden, note, status

CONTENT = "content_img"  # the option of a picture that is drawn anew
QUEUE = "draw"  # what waits for the artist


def build(studio: Studio, page: Page) -> None:
    """Add the tab's components and events."""
    Tab(studio, page)


class Tab:
    """The components, and the functions of their events."""

    def __init__(self, studio: Studio, page: Page) -> None:
        self.studio, self.page = studio, page
        self.form = asking.make_form("draw")
        self.at = gr.State("")  # the model that the form is for
        self.content = gr.State(None)  # the uploaded picture, a file of the session's
        self.digests = gr.State({})  # of pictures that restored settings want
        self.results = Showing("draw", self.form)
        with gr.Row(elem_classes="studio-columns"):
            with gr.Column(scale=2, min_width=340, elem_classes="studio-controls"):
                self._build_controls()
            with gr.Column(scale=3, min_width=380):
                self.results.build()
        self._connect()

    def _build_controls(self) -> None:
        self.model = gr.Dropdown(
            [], label=texts.MODEL, elem_id="draw-model", interactive=True, filterable=True
        )
        self.about = gr.HTML(html.escape(texts.NO_MODELS), elem_classes="about", padding=False)
        self.to_paint = gr.Button(texts.TO_PAINT, visible=False, elem_id="draw-to-paint")
        self.task = gr.Radio([], label=texts.TASK, elem_id="draw-task", visible=False)
        self.picture = gr.File(
            label=texts.CONTENT, file_types=["image"], visible=False, height=150,
            elem_id="draw-content", elem_classes="studio-drop",
        )  # fmt: skip
        self.picture_note = gr.HTML(visible=False, padding=False)
        names = asking.names_of(asking.all_tasks())
        with gr.Column(visible=False, elem_classes="studio-form") as self.asks:
            first = [name for name in names if name not in (*asking.FOLDED, "seed")]
            self.handles = handles.make("draw")
            self.form.place(first, asking.STARTS)
            with gr.Row(elem_classes="studio-seed"):
                self.form.place(["seed"])
                self.dice = gr.Button(texts.DICE, elem_id="draw-dice", min_width=110)
            with gr.Accordion(texts.MORE_OPTIONS, open=False):
                self.form.place([n for n in names if n in asking.FOLDED], asking.STARTS)
        self.results.build_buttons(texts.DRAW)
        with gr.Accordion(texts.RESTORE_TITLE, open=False, elem_id="draw-restore-fold"):
            self.drop = gr.File(
                label=texts.RESTORE, file_types=[".png", ".tif", ".yaml", ".yml"], height=150,
                elem_id="draw-restore", elem_classes="studio-drop",
            )  # fmt: skip

    # Events -----------------------------------------------------------------------------------

    def _connect(self) -> None:
        page, form, results = self.page, self.form, self.results
        shown = [
            self.at, self.model, self.about, self.to_paint, self.task, self.picture, self.asks,
            results.go, results.note, *form.outputs,
        ]  # fmt: skip
        self.shown = shown
        gr.on(
            [page.blocks.load, page.places["draw"].select], self.open, [page.chosen],
            [page.chosen, self.model], show_progress="hidden",
        )  # fmt: skip
        self.model.input(lambda key: key, [self.model], [page.chosen], show_progress="hidden")
        draggable: dict[str, Any] = {
            "fn": self.show_handles, "inputs": [page.chosen, self.task], "outputs": [self.handles],
            "show_progress": "hidden", "trigger_mode": "always_last",
        }  # fmt: skip
        page.chosen.change(
            self.show_model, [page.chosen, self.at], shown, show_progress="hidden"
        ).then(**draggable)
        self.task.input(
            self.show_task, [page.chosen, self.task], [self.picture, results.note, *form.outputs],
            show_progress="hidden",
        ).then(**draggable)  # fmt: skip
        self.to_paint.click(lambda: gr.Tabs(selected="paint"), None, [page.tabs])
        seed = form.controls["seed"][0]
        self.dice.click(lambda: str(secrets.randbelow(2**31)), None, [seed], show_progress="hidden")
        self.picture.upload(
            self.take_content, [self.picture, self.digests], [self.content, self.picture_note]
        )
        self.picture.clear(lambda: (None, hidden()), None, [self.content, self.picture_note])
        self.drop.upload(
            self.restore, [self.drop], [*shown, page.chosen, self.digests, results.status]
        ).then(**draggable)
        given = [page.chosen, self.task, self.content, *form.inputs]
        going: dict[str, Any] = {
            "inputs": given, "outputs": results.outputs, "preprocess": False,
            "show_progress": "hidden", "concurrency_limit": LIMIT, "concurrency_id": QUEUE,
        }  # fmt: skip
        results.go.click(self.go, **going)
        near = [form.controls["near"][0], form.controls["first"][0]]
        results.more.click(
            results.near, [results.result, results.picked], near, show_progress="hidden"
        ).then(self.go, **going)
        results.stop.click(results.end_turns, None, None, show_progress="hidden")

    def open(self, key: str) -> tuple[Any, Any]:
        """The page was opened: all finished models, and the newest is chosen."""
        choices = self._choices()
        known = [value for _, value in choices]
        key = key if key in known else known[0] if known else ""
        return key, gr.update(choices=choices, value=key or None)

    def _choices(self) -> list[tuple[str, str]]:
        return [
            (self.studio.models.title(path), key)
            for key, path in self.studio.models.finished().items()
        ]

    def show_model(self, key: str, at: str) -> list[Any]:
        """Another model was chosen, here or elsewhere."""
        if key == at:
            return [gr.skip()] * len(self.shown)
        try:
            config = self.studio.artist.run_config(key)
        except ConSinGANError as error:
            return self._nothing(key, str(error) if key else texts.NO_MODELS)
        suited = asking.suited(config)
        if not suited:
            return self._nothing(key, texts.FOR_PAINT, paint=True)
        return self._show(key, suited[0], {})

    def _nothing(self, key: str, why: str, paint: bool = False) -> list[Any]:
        head = [
            key, self._model_update(key), gr.update(value=html.escape(why)),
            gr.update(visible=paint), gr.update(visible=False, value=None),
            gr.update(visible=False), gr.update(visible=False), gr.update(interactive=False),
            hidden(),
        ]  # fmt: skip
        return [*head, *[gr.skip()] * len(self.form.outputs)]

    def _model_update(self, key: str) -> Any:
        return gr.update(choices=self._choices(), value=key or None)

    def _show(self, key: str, task: str, values: Mapping[str, Any]) -> list[Any]:
        """Everything for this model and task; values: of options, others begin as always."""
        config = self.studio.artist.run_config(key)
        suited = asking.suited(config)
        names = [(texts.TASK_NAMES.get(name, name), name) for name in suited]
        return [
            key, self._model_update(key), gr.update(value=html.escape(asking.describe(config))),
            gr.update(visible=False), gr.update(choices=names, value=task, visible=True),
            gr.update(visible=asking.takes(task, CONTENT)), gr.update(visible=True),
            gr.update(interactive=True), hidden(), *self._show_form(key, task, values),
        ]  # fmt: skip

    def _show_form(self, key: str, task: str, values: Mapping[str, Any]) -> list[Any]:
        config = self.studio.artist.run_config(key)
        begun = asking.starts(config, task) if not values else asking.restored(config, task)
        keep = () if values else ("seed",)
        return self.form.show(values, {"task": task}, begun, asking.limits(config), keep)

    def show_task(self, key: str, task: str) -> list[Any]:
        """Another task was chosen."""
        try:
            if task not in asking.suited(self.studio.artist.run_config(key)):
                raise UsageError("`task`: this model cannot do it")
            form = self._show_form(key, task, {})
        except ConSinGANError as error:
            return [gr.skip(), note(error), *[gr.skip()] * len(self.form.outputs)]
        return [gr.update(visible=asking.takes(task, CONTENT)), hidden(), *form]

    def show_handles(self, key: str, task: Any, request: gr.Request) -> dict[str, Any]:
        """The handles for the task, if something of it can be dragged; the model is opened."""
        kinds = [kind for kind in ("extend", "size") if task and asking.takes(task, kind)]
        if not kinds or asking.file_of(task) is not None:  # else the size is the content's
            return handles.showing("draw", None)
        from ConSinGAN import images

        try:
            model = self.studio.artist.model(key)
        except ConSinGANError:  # is told when it shall draw
            return handles.showing("draw", None)
        path = self.studio.sessions.of(request) / "handles" / "picture.png"
        path.parent.mkdir(exist_ok=True)
        images.save_image(model.reals[-1], path)
        return handles.showing("draw", kinds[0], model.sizes[-1], path)

    def take_content(
        self, path: str | None, digests: Mapping[str, str], request: gr.Request
    ) -> tuple[Any, Any]:
        """A picture was uploaded: it is kept among the session's files."""
        if path is None:
            return None, hidden()
        kept = take(Path(path), self.studio.sessions.of(request) / "given")
        wanted = digests.get(CONTENT) if isinstance(digests, dict) else None
        if wanted is not None and wanted != settings.checksum(kept):
            return str(kept), gr.update(value=as_note(texts.NOT_THE_SAME), visible=True)
        return str(kept), hidden()

    def restore(self, path: str | None) -> list[Any]:
        """A drawing was dropped: model, task and options become those that it was made with."""
        skipped = [gr.skip()] * len(self.shown)
        if path is None:
            return [*skipped, gr.skip(), gr.skip(), gr.skip()]
        try:
            found = settings.read(Path(path))
            key = found.find_model(self.studio.models)
            suited = asking.suited(self.studio.artist.run_config(key))
            if found.task not in suited:
                raise UsageError(texts.NOT_HERE.format(task=found.task))
            values = asking.again(found.task, found.values, found.drawing)
            if Path(path).suffix == ".tif":
                values["format"] = "tif"
            shown = self._show(key, found.task, values)
        except ConSinGANError as error:
            return [*skipped, gr.skip(), gr.skip(), status(str(error), wrong=True)]
        files = ", ".join(found.names.values())
        text = texts.RESTORED_FILES if files else texts.RESTORED
        said = text.format(name=found.drawing or found.task, files=files)
        return [*shown, key, dict(found.files), status(said)]

    def go(
        self, request: gr.Request, key: str, task: str, content: str | None, *values: Any
    ) -> Iterator[Updates]:
        """Draw, and say how far it is."""
        try:
            flags = self._flags(task, content, values)
        except ConSinGANError as error:
            yield self.results.wrong(error)
            return
        session = self.studio.sessions.of(request)
        more = [Path(content)] if content and CONTENT in flags else []
        with self.results.turn(request) as turn:
            yield from self.results.run(turn, self.studio.artist, key, flags, session, more)

    def _flags(self, task: str, content: str | None, values: tuple[Any, ...]) -> dict[str, Any]:
        if not isinstance(task, str) or task not in asking.all_tasks():
            raise UsageError("`task`: choose one")
        flags = asking.flags_of(self.form, task, values)
        if asking.takes(task, CONTENT):
            if content is None:
                raise UsageError(texts.NEEDS_CONTENT)
            flags[CONTENT] = content
        return flags


def take(path: Path, folder: Path) -> Path:
    """Copy an uploaded file, under a plain name, to a place of its own; the copy."""
    stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in path.stem)[:60].lstrip("-_")
    kept = folder / secrets.token_hex(8) / f"{stem or 'picture'}{path.suffix.lower()[:8]}"
    kept.parent.mkdir(parents=True)
    shutil.copyfile(path, kept)
    others = [one for one in folder.iterdir() if one != kept.parent]
    for old in sorted(others, key=lambda one: one.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return kept
