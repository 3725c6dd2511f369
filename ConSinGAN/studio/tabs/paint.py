"""The tab Paint: pictures that are composed or painted, and what models make of them."""

from __future__ import annotations

import html
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from ConSinGAN import launch, modes
from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.registry import TASKS
from ConSinGAN.studio import asking, editor, texts
from ConSinGAN.studio.drawing import Cancelled, Result
from ConSinGAN.studio.editor import Composed
from ConSinGAN.studio.jobs import DONE, RUNNING, STOPPED, WAITING, Job
from ConSinGAN.studio.services import Page, Studio
from ConSinGAN.studio.showing import LIMIT, Showing, Turn, Updates, hidden, note
from ConSinGAN.studio.uploads import Upload

FILL = "fill"  # in the list of tasks: train a model that fills a hole
BEAT = 0.5  # seconds between looks at a training
QUEUE = "paint"  # what waits for a training
FILLED = {"num_samples": 4, "full_size": True}  # what is drawn of a hole


def build(studio: Studio, page: Page) -> None:
    """Add the tab's components and events."""
    Tab(studio, page)


class Tab:
    """The components, and the functions of their events."""

    def __init__(self, studio: Studio, page: Page) -> None:
        self.studio, self.page = studio, page
        self.form = asking.make_form("paint")
        self.results = Showing("paint", self.form)
        self.at = gr.State(None)  # the model that the form is for
        with gr.Row(elem_classes="studio-columns"):
            with gr.Column(scale=3, min_width=380):
                self.editor = editor.make(editor.showing(only=True, auto=False))
            with gr.Column(scale=2, min_width=320, elem_classes="studio-controls"):
                self._build_controls()
        self.results.build()
        self._connect()

    def _build_controls(self) -> None:
        self.model = gr.Dropdown([], label=texts.MODEL, elem_id="paint-model", interactive=True)
        self.task = gr.Radio(
            [(texts.FILL, FILL)], value=FILL, label=texts.PAINT_TASK, elem_id="paint-task",
            interactive=True,
        )  # fmt: skip
        self.about = gr.HTML(html.escape(texts.FILL_ABOUT), elem_classes="about", padding=False)
        self.start = gr.Button(texts.MODEL_PICTURE, elem_id="paint-start", visible=False)
        with gr.Column(elem_classes="studio-form", visible=False) as self.asks:
            names = asking.names_of(asking.all_tasks(given=True))
            self.form.place([n for n in names if n not in asking.FOLDED], asking.STARTS)
            with gr.Accordion(texts.MORE_OPTIONS, open=False):
                self.form.place([n for n in names if n in asking.FOLDED], asking.STARTS)
        self.tune = gr.Checkbox(
            label=texts.FINE_TUNE, info=texts.FINE_TUNE_INFO, visible=False, elem_id="paint-tune"
        )
        self.niter = gr.Slider(
            50, 2000, 500, step=50, label=texts.ITERATIONS, visible=False, precision=0,
            elem_id="paint-niter", buttons=[],
        )  # fmt: skip
        self.effort = gr.Radio(
            [(label, name) for name, label in texts.EFFORTS.items()], value="draft",
            label=texts.EFFORT_OF_FILL, elem_id="paint-effort",
        )  # fmt: skip
        self.results.build_buttons(texts.RUN, ready=True)

    def _connect(self) -> None:
        page, results = self.page, self.results
        self.shown = [
            self.at, self.model, self.task, self.about, self.start, self.asks, self.tune,
            self.niter, self.effort, results.go, results.note, self.editor, *self.form.outputs,
        ]  # fmt: skip
        quiet: dict[str, Any] = {"show_progress": "hidden", "preprocess": False}
        self.model.input(lambda key: key, [self.model], [page.chosen], **quiet)
        page.chosen.change(self.show_model, [page.chosen, self.at], self.shown, **quiet)
        page.places["paint"].select(self.models, [page.chosen], [self.model], **quiet)
        self.task.input(self.show_task, [page.chosen, self.task], self.shown, **quiet)
        self.tune.input(
            lambda on: gr.update(visible=on is True), [self.tune], [self.niter], **quiet
        )
        self.start.click(self.begin, [page.chosen, self.task], [self.editor, results.note], **quiet)
        going: dict[str, Any] = {
            "inputs": [
                self.editor, page.chosen, self.task, self.tune, self.niter, self.effort,
                *self.form.inputs,
            ],
            "outputs": results.outputs, "js": editor.TAKE, "concurrency_limit": LIMIT,
            "concurrency_id": QUEUE, **quiet,
        }  # fmt: skip
        results.go.click(self.go, **going)
        results.stop.click(results.end_turns, None, None, **quiet)

    # What there is to do ----------------------------------------------------------------------

    def models(self, key: str) -> Any:
        """All finished models, as there are now."""
        models = self.studio.models
        choices = [(models.title(path), one) for one, path in models.finished().items()]
        known = any(one == key for _, one in choices)
        return gr.update(choices=choices, value=key if known else None)

    def show_model(self, key: str, at: str | None) -> list[Any]:
        """Another model was chosen, here or elsewhere."""
        if key == at:
            return [gr.skip()] * len(self.shown)
        tasks = self._tasks(key)
        return self._show(key, tasks[0])

    def show_task(self, key: str, task: Any) -> list[Any]:
        """Another thing to do was chosen."""
        tasks = self._tasks(key)
        return self._show(key, task if task in tasks else tasks[0])

    def _tasks(self, key: str) -> list[str]:
        """What can be done with this model, and without one."""
        try:
            found = asking.suited(self.studio.artist.run_config(key), given=True)
        except ConSinGANError:  # no model is chosen
            found = []
        return [*found, FILL]

    def _show(self, key: str, task: str) -> list[Any]:
        names = [(texts.TASK_NAMES.get(n, texts.FILL), n) for n in self._tasks(key)]
        fills = task == FILL
        values: list[Any] = [gr.skip()] * len(self.form.outputs)
        about, tunes = texts.FILL_ABOUT, False
        if not fills:
            config = self.studio.artist.run_config(key)
            about = asking.describe(config)
            tunes = modes.get(config.train_mode).takes_naive and asking.takes(task, "mask")
            values = self.form.show({}, {"task": task}, asking.starts(config, task), keep=("seed",))
        return [
            key, self.models(key),
            gr.update(choices=names, value=task), gr.update(value=html.escape(about)),
            gr.update(visible=bool(key)), gr.update(visible=not fills),
            gr.update(visible=tunes, value=False), gr.update(visible=False),
            gr.update(visible=fills), gr.update(interactive=True), hidden(), _shown(task), *values,
        ]  # fmt: skip

    def begin(self, key: str, task: Any, request: gr.Request) -> tuple[Any, Any]:
        """The model's picture goes into the editor."""
        from ConSinGAN import images

        try:
            model = self.studio.artist.model(key)
        except ConSinGANError as error:
            return gr.skip(), note(error)
        path = self.studio.sessions.of(request) / "given" / "model.png"
        path.parent.mkdir(exist_ok=True)
        images.save_image(model.picture, path)
        tasks = self._tasks(key)
        return _shown(task if task in tasks else tasks[0], path), hidden()

    # Running ----------------------------------------------------------------------------------

    def go(
        self, request: gr.Request, value: Any, key: str, task: Any, tune: Any, niter: Any,
        effort: Any, *values: Any,
    ) -> Iterator[Updates]:  # fmt: skip
        """Train, if that is wanted, then draw."""
        session = self.studio.sessions.of(request)
        with self.results.turn(request) as turn:
            try:
                if task not in self._tasks(key):
                    raise UsageError("`task`: choose one")
                files = editor.composed(value, self.studio.sessions.uploads, session / "given")
                if task == FILL:
                    job: Job | None = self._begin_fill(files, effort)
                    flags: dict[str, Any] = {"task": "inpainting", **FILLED}
                else:
                    flags = asking.flags_of(self.form, task, values) | _given(task, files)
                    job = self._begin_tuning(key, files, niter) if tune is True else None
                if job is not None:
                    key = yield from self._trained(turn, job)
            except (ConSinGANError, OSError) as error:
                yield self.results.wrong(error)
                return
            more = [path for path in (files.picture, files.mask) if path is not None]

            def compare(result: Result) -> tuple[Path, Path] | None:
                return _compared(result, files)

            artist = self.studio.artist
            yield from self.results.run(turn, artist, key, flags, session, more, compare)

    def _begin_fill(self, files: Composed, effort: Any) -> Job:
        if files.mask is None:
            raise UsageError(texts.NEEDS_MASK)
        keep = self.studio.pictures.keep
        flags: dict[str, Any] = {
            "train_mode": "inpainting", "output_dir": str(self.studio.models.folder),
            "input_name": str(keep(_upload(files.picture))), "mask": str(keep(_upload(files.mask))),
        }  # fmt: skip
        chosen = effort if effort in texts.EFFORTS else "draft"
        launch.configure(flags)
        return self.studio.trainings.add(
            texts.FILL_TITLE, "inpainting", chosen, {**flags, "preset": chosen}
        )

    def _begin_tuning(self, key: str, files: Composed, niter: Any) -> Job:
        path = self.studio.models.path(key)
        config = self.studio.artist.run_config(key)
        kept = self.studio.pictures.keep(_upload(files.picture))
        flags = {
            "train_mode": config.train_mode, "fine_tune": True, "model_dir": str(path),
            "naive_img": str(kept), "output_dir": str(self.studio.models.folder),
            "niter": int(niter) if isinstance(niter, (int, float)) else niter,
        }  # fmt: skip
        launch.configure(flags)
        return self.studio.trainings.add(path.parent.name, config.train_mode, "", flags)

    def _trained(self, turn: Turn, job: Job) -> Generator[Updates, None, str]:
        """Wait for a training, which goes on if nobody does; the id of the model.

        Stop ends the training as well. Raises ConSinGANError.
        """
        yield self.results.under_way(texts.TRAINING_WAITS)
        trainings = self.studio.trainings
        while (now := trainings.get(job.id)).state in (WAITING, RUNNING):
            try:
                turn.go_on()
            except Cancelled:
                trainings.stop(job.id)
                raise
            share = now.progress.get("fraction") if now.state == RUNNING else None
            text = f"{100 * share:.0f} %" if share is not None else ""
            said = texts.TRAINING.format(text=text) if text else texts.TRAINING_WAITS
            yield self.results.busy(said)
            time.sleep(BEAT)
        if now.state == STOPPED:
            raise Cancelled("stopped")  # by somebody else
        if now.state != DONE or now.run is None:
            raise ConSinGANError(now.error or texts.TRAINING_ENDED)
        return self.studio.models.id_of(now.run)


def _shown(task: Any, background: Path | None = None) -> dict[str, Any]:
    """The editor for a task: what the brush paints there, and what is in the mask."""
    fills = task == FILL
    masks = fills or asking.takes(task, "mask")
    paints = not fills and TASKS.load(task).paints
    return editor.showing(
        background, "colour" if paints else "mask", only=fills or not masks, auto=not fills
    )


def _given(task: str, files: Composed) -> dict[str, Any]:
    """The flags of what was composed, for this task."""
    given: dict[str, Any] = {asking.GIVEN: str(files.picture)}
    if asking.takes(task, "mask") and files.mask is not None:
        given["mask"] = str(files.mask)
    return given


def _upload(path: Path) -> Upload:
    return Upload(path, path.name)


def _compared(result: Result, files: Composed) -> tuple[Path, Path] | None:
    """What was composed, at the result's size, and the result: what the task made of it."""
    from PIL import Image

    pair = result.compared()
    after = next(iter(result.pictures), None) if pair is None else pair[1]
    if after is None:
        return None
    before = after.parent / "before.png"
    with Image.open(after) as drawn, Image.open(files.picture) as given:
        given.convert("RGB").resize(drawn.size, Image.Resampling.LANCZOS).save(before)
    return before, after
