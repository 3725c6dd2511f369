"""How drawings are shown, and how far one is: what the tabs Draw and Paint share."""

from __future__ import annotations

import contextlib
import html
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from ConSinGAN.errors import ConSinGANError
from ConSinGAN.studio import asking, texts
from ConSinGAN.studio.drawing import Artist, Cancelled, Order, Result, command_line
from ConSinGAN.studio.forms import Form, as_note

log = logging.getLogger(__name__)

BEAT = 0.25  # seconds between looks at how far a drawing is
KEPT = 2  # results of a session, the newest, whose files are kept
LIMIT = 16  # drawings that wait or are drawn at a time

Updates = dict[Any, Any]
Compare = Callable[[Result], tuple[Path, Path] | None]


class Turn:
    """What one press of a button began; Stop asks it to end, which it does at its next look."""

    def __init__(self, page: str | None) -> None:
        """page: the id of the page whose button it was."""
        self.page, self._stop = page, threading.Event()

    def stop(self) -> None:
        """Ask it to end."""
        self._stop.set()

    def go_on(self) -> None:
        """Raises Cancelled if it was asked to end."""
        if self._stop.is_set():
            raise Cancelled("stopped")


class Showing:
    """The components of results, and the updates of them."""

    def __init__(self, prefix: str, form: Form) -> None:
        """prefix: of the components' ids."""
        self.prefix, self.form = prefix, form
        self._turns: set[Turn] = set()

    def build_buttons(self, label: str, ready: bool = False) -> None:
        """The buttons to begin and to stop, and a place for errors."""
        self.note = gr.HTML(visible=False, elem_id=f"{self.prefix}-note", padding=False)
        with gr.Row(elem_classes="studio-go"):
            self.go = gr.Button(
                label, variant="primary", elem_id=f"{self.prefix}-go", interactive=ready
            )
            self.stop = gr.Button(texts.STOP, elem_id=f"{self.prefix}-stop", visible=False)

    def build(self) -> None:
        """The results."""
        prefix = self.prefix
        self.status = gr.HTML(status(texts.EMPTY), elem_id=f"{prefix}-status", padding=False)
        self.film = gr.Video(
            label=texts.FILM, autoplay=True, loop=True, visible=False, interactive=False,
            elem_id=f"{prefix}-film", height=420, buttons=["download"],
        )  # fmt: skip
        self.compared = gr.ImageSlider(
            label=texts.COMPARED, visible=False, interactive=False, elem_id=f"{prefix}-compared",
            type="filepath", max_height=560,
        )  # fmt: skip
        self.gallery = gr.Gallery(
            label=texts.PICTURES, columns=4, object_fit="contain", height="auto", visible=False,
            interactive=False, elem_id=f"{prefix}-gallery", buttons=["download", "fullscreen"],
        )  # fmt: skip
        with gr.Row(visible=False, elem_id=f"{prefix}-chosen") as self.chosen:
            self.more = gr.Button(texts.MORE_LIKE_THIS, elem_id=f"{prefix}-more")
            self.download = gr.DownloadButton(texts.DOWNLOAD, elem_id=f"{prefix}-download")
        self.files = gr.File(
            label=texts.ALL_FILES, visible=False, interactive=False, file_count="multiple",
            elem_id=f"{prefix}-files", height=230,
        )  # fmt: skip
        self.command = gr.Textbox(
            label=texts.COMMAND, info=texts.COMMAND_INFO, visible=False, interactive=False,
            lines=2, max_lines=6, buttons=["copy"], elem_id=f"{prefix}-command",
        )  # fmt: skip
        self.result, self.picked = gr.State(None), gr.State("")
        self.gallery.select(
            self._pick, [self.result], [self.picked, self.chosen, self.more, self.download],
            show_progress="hidden",
        )  # fmt: skip

    @property
    def outputs(self) -> list[Any]:
        """What the updates below change."""
        return [
            self.status, self.note, self.go, self.stop, self.film, self.compared, self.gallery,
            self.chosen, self.files, self.command, self.result, *self.form.notes,
        ]  # fmt: skip

    @contextlib.contextmanager
    def turn(self, request: gr.Request) -> Iterator[Turn]:
        """What is begun now, for as long as it is under way."""
        turn = Turn(request.session_hash)
        self._turns.add(turn)
        try:
            yield turn
        finally:
            self._turns.discard(turn)

    def end_turns(self, request: gr.Request) -> None:
        """Stop was pressed. (Gradio's own `cancels` may leave "Error" on the page.)"""
        for turn in list(self._turns):
            if turn.page == request.session_hash:
                turn.stop()

    def run(
        self, turn: Turn, artist: Artist, key: object, flags: Mapping[str, Any], session: Path,
        more: Sequence[Path] = (), compare: Compare | None = None,
    ) -> Iterator[Updates]:  # fmt: skip
        """Draw, say how far it is, and show what was drawn.

        more: files to offer besides. compare: gives what is before and after, if not the task.
        """
        began, folder = time.monotonic(), session / f"drawn-{secrets.token_hex(8)}"
        order = artist.ask(key, flags, folder)
        try:
            yield self.under_way(how_far(order))
            while (result := order.wait(BEAT)) is None:
                turn.go_on()
                yield self.busy(how_far(order))
        except Exception as error:
            shutil.rmtree(folder, ignore_errors=True)
            yield self.wrong(error)
            return
        finally:  # also when the page was closed, or Stop pressed
            order.cancel()
        pair = result.compared() if compare is None else compare(result)
        yield self.shown(result, pair, more, time.monotonic() - began)
        keep_newest(session)

    def under_way(self, text: str) -> Updates:
        """Something has begun."""
        return {
            self.status: status(text, busy=True), self.note: hidden(),
            self.go: gr.update(interactive=False), self.stop: gr.update(visible=True),
            **self._complain(None),
        }  # fmt: skip

    def busy(self, text: str) -> Updates:
        """It is still under way."""
        return {self.status: status(text, busy=True)}

    def wrong(self, error: Exception) -> Updates:
        """The error below the control that it names, or above the button; or that it stopped."""
        if isinstance(error, Cancelled):
            return {
                self.status: status(texts.STOPPED), self.note: hidden(),
                self.go: gr.update(interactive=True), self.stop: gr.update(visible=False),
            }  # fmt: skip
        if isinstance(error, OSError):
            error = ConSinGANError(error.strerror or type(error).__name__)
        elif not isinstance(error, ConSinGANError):  # a bug, or no memory
            log.error("drawing failed", exc_info=error)
            error = ConSinGANError(texts.FAILED)
        elsewhere = not self.form.says(error)
        return {
            self.note: note(error) if elsewhere else hidden(), **self._complain(error),
            self.status: status(texts.WRONG, wrong=True),
            self.go: gr.update(interactive=True), self.stop: gr.update(visible=False),
        }  # fmt: skip

    def _complain(self, error: ConSinGANError | None) -> Updates:
        return dict(zip(self.form.notes, self.form.complain(error), strict=True))

    def shown(
        self, result: Result, pair: tuple[Path, Path] | None, more: Sequence[Path], seconds: float
    ) -> Updates:
        """What was drawn."""
        films, pictures = result.films, result.pictures
        options = {n: v for n, v in result.flags.items() if n != "model_dir"}
        given = [Path(v).stem for n, v in options.items() if asking.SCHEMA.is_path(n)]
        labelled = [(str(path), caption(path, given)) for path in pictures]
        num = len(result.files)
        said = texts.DONE.format(num=f"{num} file{'s' * (num != 1)}", seconds=seconds)
        return {
            self.status: status(said), self.note: hidden(),
            self.go: gr.update(interactive=True), self.stop: gr.update(visible=False),
            self.film: gr.update(value=films[0] if films else None, visible=bool(films)),
            self.compared: gr.update(value=pair, visible=pair is not None),
            self.gallery: gr.Gallery(  # gr.update would drop the None, which closes the preview
                value=labelled, visible=bool(labelled), selected_index=None,
                columns=max(3, min(4, len(labelled))),
            ),
            self.chosen: gr.update(visible=False),
            self.files: gr.update(
                value=[str(path) for path in (*result.files, *more)], visible=True
            ),
            self.command: gr.update(
                value=command_line(result.flags), visible=True,
                info=texts.COMMAND_FILES if given else texts.COMMAND_INFO,
            ),
            self.result: {
                "pictures": [str(path) for path in pictures], "task": result.flags["task"],
                "near": result.flags.get("near"),
            },
        }  # fmt: skip

    def _pick(self, result: Mapping[str, Any] | None, event: gr.SelectData) -> list[Any]:
        """A picture was clicked."""
        pictures = [] if result is None else result["pictures"]
        if result is None or not isinstance(event.index, int) or event.index >= len(pictures):
            return [gr.skip()] * 4
        path = Path(pictures[event.index])
        near = asking.takes(result["task"], "near") and asking.number_of(path.stem) is not None
        chosen = gr.update(value=str(path))
        return [path.stem, gr.update(visible=True), gr.update(visible=near), chosen]

    def near(self, result: Mapping[str, Any] | None, name: str) -> tuple[Any, Any]:
        """More like the picture that was clicked: values of `near` and `first`."""
        number = asking.number_of(name)
        if result is None or number is None:
            return gr.skip(), gr.skip()
        before = result["near"]
        return f"{before}/{number}" if before else str(number), 0


def caption(path: Path, given: Sequence[str]) -> str:
    """A drawing's name in words, without those of the pictures that were given."""
    name = path.stem
    for stem in given:
        name = name.removesuffix(f"_{stem}")
    return name.replace("_", " ")


def keep_newest(session: Path) -> None:
    """Remove all but the newest results of a session."""
    found = sorted(session.glob("drawn-*"), key=lambda one: one.stat().st_mtime)
    for old in found[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def hidden() -> Any:
    """An update that empties a note."""
    return gr.update(value="", visible=False)


def note(error: ConSinGANError) -> Any:
    """An update that shows an error in a note."""
    return gr.update(value=as_note(str(error)), visible=True)


def status(text: str, busy: bool = False, wrong: bool = False) -> str:
    """A line that says how things stand."""
    kind = "busy" if busy else "wrong" if wrong else ""
    return f'<p class="status {kind}" role="status">{html.escape(text)}</p>'


def how_far(order: Order) -> str:
    """How far a drawing is, in words."""
    if order.total is None:
        return texts.OPENING if order.begun else texts.WAITING
    return texts.DRAWING.format(done=order.done + 1, total=order.total)
