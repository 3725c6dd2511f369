"""The tab Draw: what the chosen model can draw without being given a picture to work on."""

from __future__ import annotations

import html
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.studio import asking, settings, texts
from ConSinGAN.studio.drawing import Cancelled, Order, Result, command_line
from ConSinGAN.studio.forms import as_note
from ConSinGAN.studio.services import Page, Studio

BEAT = 0.25  # seconds between looks at how far a drawing is
KEPT = 2  # results of a session, the newest, whose files are kept
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
        self.result = gr.State(None)
        with gr.Row(elem_classes="studio-columns"):
            with gr.Column(scale=2, min_width=340, elem_classes="studio-controls"):
                self._build_controls()
            with gr.Column(scale=3, min_width=380):
                self._build_results()
        self._connect()

    def _build_controls(self) -> None:
        self.model = gr.Dropdown(
            [], label=texts.MODEL, elem_id="draw-model", interactive=True, filterable=True
        )
        self.about = gr.HTML(elem_classes="about", padding=False)
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
            self.form.place(first, asking.STARTS)
            with gr.Row(elem_classes="studio-seed"):
                self.form.place(["seed"])
                self.dice = gr.Button(texts.DICE, elem_id="draw-dice", min_width=110)
            with gr.Accordion(texts.MORE_OPTIONS, open=False):
                self.form.place([n for n in names if n in asking.FOLDED], asking.STARTS)
        self.note = gr.HTML(visible=False, elem_id="draw-note", padding=False)
        with gr.Row():
            self.draw = gr.Button(
                texts.DRAW, variant="primary", elem_id="draw-go", interactive=False
            )
            self.stop = gr.Button(texts.STOP, elem_id="draw-stop", visible=False)
        with gr.Accordion(texts.RESTORE_TITLE, open=False, elem_id="draw-restore-fold"):
            self.drop = gr.File(
                label=texts.RESTORE, file_types=[".png", ".tif", ".yaml", ".yml"], height=150,
                elem_id="draw-restore", elem_classes="studio-drop",
            )  # fmt: skip

    def _build_results(self) -> None:
        self.status = gr.HTML(_status(texts.EMPTY), elem_id="draw-status", padding=False)
        self.film = gr.Video(
            label=texts.FILM, autoplay=True, loop=True, visible=False, interactive=False,
            elem_id="draw-film", height=420, buttons=["download"],
        )  # fmt: skip
        self.compared = gr.ImageSlider(
            label=texts.COMPARED, visible=False, interactive=False, elem_id="draw-compared",
            type="filepath", max_height=560,
        )  # fmt: skip
        self.gallery = gr.Gallery(
            label=texts.PICTURES, columns=4, object_fit="contain", height="auto", visible=False,
            interactive=False, elem_id="draw-gallery", buttons=["download", "fullscreen"],
        )  # fmt: skip
        with gr.Row(visible=False, elem_id="draw-chosen") as self.chosen_row:
            self.more = gr.Button(texts.MORE_LIKE_THIS, elem_id="draw-more")
            self.download = gr.DownloadButton(texts.DOWNLOAD, elem_id="draw-download")
        self.picked = gr.State("")  # the name of the drawing that was clicked
        self.files = gr.File(
            label=texts.ALL_FILES, visible=False, interactive=False, file_count="multiple",
            elem_id="draw-files", height=160,
        )  # fmt: skip
        self.command = gr.Textbox(
            label=texts.COMMAND, info=texts.COMMAND_INFO, visible=False, interactive=False,
            lines=2, max_lines=6, buttons=["copy"], elem_id="draw-command",
        )  # fmt: skip

    # Events -----------------------------------------------------------------------------------

    def _connect(self) -> None:
        page, form = self.page, self.form
        shown = [
            self.at, self.model, self.about, self.to_paint, self.task, self.picture, self.asks,
            self.draw, self.note, *form.outputs,
        ]  # fmt: skip
        self.shown = shown
        page.blocks.load(self.open, [page.chosen], [page.chosen, self.model])
        self.model.input(lambda key: key, [self.model], [page.chosen], show_progress="hidden")
        page.chosen.change(self.show_model, [page.chosen, self.at], shown, show_progress="hidden")
        self.task.input(
            self.show_task, [page.chosen, self.task], [self.picture, self.note, *form.outputs],
            show_progress="hidden",
        )  # fmt: skip
        self.to_paint.click(lambda: gr.Tabs(selected="paint"), None, [page.tabs])
        seed = form.controls["seed"][0]
        self.dice.click(lambda: str(secrets.randbelow(2**31)), None, [seed], show_progress="hidden")
        self.picture.upload(
            self.take_content, [self.picture, self.digests], [self.content, self.picture_note]
        )
        self.picture.clear(lambda: (None, _hidden()), None, [self.content, self.picture_note])
        self.drop.upload(
            self.restore, [self.drop], [*shown, page.chosen, self.digests, self.status]
        )
        given = [page.chosen, self.task, self.content, *form.inputs]
        going: dict[str, Any] = {
            "inputs": given, "outputs": self._outputs(), "preprocess": False,
            "show_progress": "hidden", "concurrency_limit": 8, "concurrency_id": QUEUE,
        }  # fmt: skip
        go = self.draw.click(self.go, **going)
        near, first = form.controls["near"][0], form.controls["first"][0]
        again = self.more.click(
            self.near, [self.result, self.picked], [near, first], show_progress="hidden"
        ).then(self.go, **going)
        self.stop.click(
            self.stopped, None, [self.status, self.draw, self.stop], cancels=[go, again]
        )
        self.gallery.select(
            self.pick, [self.result], [self.picked, self.chosen_row, self.more, self.download],
            show_progress="hidden",
        )  # fmt: skip

    def _outputs(self) -> list[Any]:
        return [
            self.status, self.note, self.draw, self.stop, self.film, self.compared, self.gallery,
            self.chosen_row, self.files, self.command, self.result, *self.form.notes,
        ]  # fmt: skip

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
            _hidden(),
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
            gr.update(interactive=True), _hidden(), *self._show_form(key, task, values),
        ]  # fmt: skip

    def _show_form(self, key: str, task: str, values: Mapping[str, Any]) -> list[Any]:
        config = self.studio.artist.run_config(key)
        begun = asking.starts(config, task) if not values else asking.restored(config, task)
        return self.form.show(values, {"task": task}, begun, asking.limits(config))

    def show_task(self, key: str, task: str) -> list[Any]:
        """Another task was chosen."""
        try:
            if task not in asking.suited(self.studio.artist.run_config(key)):
                raise UsageError("`task`: this model cannot do it")
            form = self._show_form(key, task, {})
        except ConSinGANError as error:
            return [gr.skip(), _note(error), *[gr.skip()] * len(self.form.outputs)]
        return [gr.update(visible=asking.takes(task, CONTENT)), _hidden(), *form]

    def take_content(
        self, path: str | None, digests: Mapping[str, str], request: gr.Request
    ) -> tuple[Any, Any]:
        """A picture was uploaded: it is kept among the session's files."""
        if path is None:
            return None, _hidden()
        kept = take(Path(path), self.studio.sessions.of(request) / "given")
        wanted = digests.get(CONTENT) if isinstance(digests, dict) else None
        if wanted is not None and wanted != settings.checksum(kept):
            return str(kept), gr.update(value=as_note(texts.NOT_THE_SAME), visible=True)
        return str(kept), _hidden()

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
            shown = self._show(key, found.task, values)
        except ConSinGANError as error:
            return [*skipped, gr.skip(), gr.skip(), _status(str(error), wrong=True)]
        files = ", ".join(found.names.values())
        text = texts.RESTORED_FILES if files else texts.RESTORED
        said = text.format(name=found.drawing or found.task, files=files)
        return [*shown, key, dict(found.files), _status(said)]

    def go(
        self, request: gr.Request, key: str, task: str, content: str | None, *values: Any
    ) -> Iterator[dict[Any, Any]]:
        """Draw, and say how far it is."""
        began = time.monotonic()
        session = self.studio.sessions.of(request)
        folder = session / f"drawn-{secrets.token_hex(8)}"
        try:
            flags = self._flags(task, content, values)
        except ConSinGANError as error:
            yield self._wrong(error)
            return
        order = self.studio.artist.ask(key, flags, folder)
        try:
            yield self._under_way(order)
            while (result := order.wait(BEAT)) is None:
                yield {self.status: _status(_how_far(order), busy=True)}
        except (ConSinGANError, OSError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            if not isinstance(error, Cancelled):
                yield self._wrong(error if isinstance(error, ConSinGANError) else _plain(error))
            return
        finally:  # also when the page was closed, or Stop pressed
            order.cancel()
        yield self._shown(result, time.monotonic() - began)
        keep_newest(session, KEPT)

    def _flags(self, task: str, content: str | None, values: tuple[Any, ...]) -> dict[str, Any]:
        if not isinstance(task, str) or task not in asking.all_tasks():
            raise UsageError("`task`: choose one")
        flags = asking.flags_of(self.form, task, values)
        if asking.takes(task, CONTENT):
            if content is None:
                raise UsageError(texts.NEEDS_CONTENT)
            flags[CONTENT] = content
        return flags

    def _under_way(self, order: Order) -> dict[Any, Any]:
        notes = dict(zip(self.form.notes, self.form.complain(), strict=True))
        return {
            self.status: _status(_how_far(order), busy=True), self.note: _hidden(),
            self.draw: gr.update(interactive=False), self.stop: gr.update(visible=True), **notes,
        }  # fmt: skip

    def _wrong(self, error: ConSinGANError) -> dict[Any, Any]:
        """The error below the control that it names, or above the button."""
        elsewhere = not self.form.says(error)
        notes = dict(zip(self.form.notes, self.form.complain(error), strict=True))
        return {
            self.note: _note(error) if elsewhere else _hidden(), **notes,
            self.status: _status(texts.WRONG, wrong=True),
            self.draw: gr.update(interactive=True), self.stop: gr.update(visible=False),
        }  # fmt: skip

    def _shown(self, result: Result, seconds: float) -> dict[Any, Any]:
        films, pair, pictures = result.films, result.compared(), result.pictures
        labelled = [(str(path), path.stem.replace("_", " ")) for path in pictures]
        command = command_line(result.flags)
        info = texts.COMMAND_FILES if CONTENT in result.flags else texts.COMMAND_INFO
        num = len(result.files)
        said = texts.DONE.format(num=f"{num} file{'s' * (num != 1)}", seconds=seconds)
        return {
            self.status: _status(said),
            self.draw: gr.update(interactive=True), self.stop: gr.update(visible=False),
            self.film: gr.update(value=films[0] if films else None, visible=bool(films)),
            self.compared: gr.update(value=pair, visible=pair is not None),
            self.gallery: gr.update(
                value=labelled, visible=bool(labelled), selected_index=None,
                columns=max(2, min(4, len(labelled))),
            ),
            self.chosen_row: gr.update(visible=False),
            self.files: gr.update(value=[str(path) for path in result.files], visible=True),
            self.command: gr.update(value=command, visible=True, info=info),
            self.result: {
                "pictures": [str(path) for path in pictures], "task": result.flags["task"],
                "near": result.flags.get("near"),
            },
        }  # fmt: skip

    def stopped(self) -> tuple[Any, Any, Any]:
        """Stop was pressed."""
        return (_status(texts.STOPPED), gr.update(interactive=True), gr.update(visible=False))

    def pick(self, result: Mapping[str, Any] | None, event: gr.SelectData) -> list[Any]:
        """A picture was clicked."""
        pictures = [] if result is None else result["pictures"]
        if result is None or not isinstance(event.index, int) or event.index >= len(pictures):
            return [gr.skip()] * 4
        path = Path(pictures[event.index])
        near = asking.takes(result["task"], "near") and asking.number_of(path.stem) is not None
        return [
            path.stem, gr.update(visible=True), gr.update(visible=near),
            gr.update(value=str(path)),
        ]  # fmt: skip

    def near(self, result: Mapping[str, Any] | None, name: str) -> tuple[Any, Any]:
        """More like the picture that was clicked: the value of `near`, and where to begin."""
        number = asking.number_of(name)
        if result is None or number is None:
            return gr.skip(), gr.skip()
        before = result["near"]
        return f"{before}/{number}" if before else str(number), 0


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


def keep_newest(session: Path, num: int) -> None:
    """Remove all but the newest results of a session."""
    found = sorted(session.glob("drawn-*"), key=lambda one: one.stat().st_mtime)
    for old in found[:-num]:
        shutil.rmtree(old, ignore_errors=True)


def _plain(error: OSError) -> ConSinGANError:
    return ConSinGANError(error.strerror or "the files could not be written")


def _hidden() -> Any:
    return gr.update(value="", visible=False)


def _note(error: ConSinGANError) -> Any:
    return gr.update(value=as_note(str(error)), visible=True)


def _status(text: str, busy: bool = False, wrong: bool = False) -> str:
    kind = "busy" if busy else "wrong" if wrong else ""
    return f'<p class="status {kind}" role="status">{html.escape(text)}</p>'


def _how_far(order: Order) -> str:
    if order.total is None:
        return texts.OPENING if order.begun else texts.WAITING
    return texts.DRAWING.format(done=order.done + 1, total=order.total)
