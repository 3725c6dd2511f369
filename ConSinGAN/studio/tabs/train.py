"""The tab Train: a picture, what the model shall do, how much effort; and what comes of it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ConSinGAN import console, launch, modes
from ConSinGAN.config import SCHEMA
from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.registry import PRESETS
from ConSinGAN.studio import texts, training_view, uploads
from ConSinGAN.studio.forms import Form, as_note, names_for
from ConSinGAN.studio.jobs import DONE, FAILED, INTERRUPTED, RUNNING, STOPPED, WAITING, Job
from ConSinGAN.studio.services import Page, Studio
from ConSinGAN.studio.trainings import GOING_ON
from ConSinGAN.studio.uploads import Upload

BEAT = 2.0  # seconds between looks at the training; each costs the browser, too
# Options that the page has controls of its own for, or that make no sense on it.
BESIDE = ("train_mode", "fine_tune", "compile", "max_megapixels", "frame")
FIRST = (RUNNING, INTERRUPTED, WAITING, FAILED, STOPPED, DONE)  # which training is shown at first


def build(studio: Studio, page: Page) -> None:
    """Add the tab's components and events."""
    Train(studio, page)


def wanted_files(mode: str) -> list[str]:
    """The options that name files which a mode takes besides the picture."""
    own = [n for n, o in SCHEMA.options.items() if SCHEMA.is_path(n) and mode in o.owners]
    return own + (["naive_img"] if modes.get(mode).takes_naive else [])


class Train:
    """The components of one page's tab, and what happens there."""

    def __init__(self, studio: Studio, page: Page) -> None:
        self.studio, self.page = studio, page
        self.form = Form(SCHEMA, "train", texts.TRAIN_OPTION_LABELS, texts.TRAIN_OPTION_HELPS)
        self.slots = sorted({name for mode in modes.names() for name in wanted_files(mode)})
        self.dropped, self.selected = gr.State({}), gr.State("")
        self.defaults, self.seen = gr.State({}), gr.State({})
        with gr.Row(equal_height=False, elem_classes="sides"):
            with gr.Column(scale=6, min_width=360):
                self._ask()
            with gr.Column(scale=7, min_width=360):
                self._show()
        self._connect()

    # Components -------------------------------------------------------------------------------

    def _ask(self) -> None:
        first = modes.names()[0]
        self.picture = self._drop(texts.PICTURE, texts.DROP, "train-picture", 150)
        self.note = gr.HTML(visible=False, padding=False, elem_id="train-picture-note")
        self.mode = gr.Radio(
            [(texts.MODES.get(name, name), name) for name in modes.names()], value=first,
            label=texts.MODE, elem_id="train-mode", elem_classes="cards",
        )  # fmt: skip
        self.about = gr.HTML(self._about(first), padding=False, elem_classes="about")
        self.files, self.file_notes = {}, {}
        for name in self.slots:
            with gr.Column(visible=name in wanted_files(first)) as box:
                label, hint = texts.FILES.get(name, (name, texts.DROP))
                file = self._drop(label, hint, f"train-{name}", 150)
                note = gr.HTML(visible=False, padding=False, elem_id=f"train-{name}-note")
            self.files[name], self.file_notes[name] = (box, file), note
        self.effort = gr.Radio(
            [(label, name) for name, label in texts.EFFORTS.items()], value="draft",
            label=texts.EFFORT, info=texts.EFFORT_INFO, elem_id="train-effort",
        )  # fmt: skip
        self.start = gr.Button(texts.START, variant="primary", size="lg", elem_id="train-start")
        self.trouble = gr.HTML(visible=False, padding=False, elem_id="train-note")
        with gr.Accordion(texts.TRAIN_OPTIONS, open=False, elem_id="train-options"):
            self.form.fold(names_for(SCHEMA, BESIDE), modes.get(first).defaults)

    def _drop(self, label: str, hint: str, name: str, height: int) -> gr.Image:
        return gr.Image(
            label=label, placeholder=hint, sources=["upload", "clipboard"], type="filepath",
            height=height, elem_id=name, buttons=[], image_mode=None, elem_classes="studio-drop",
        )  # fmt: skip

    def _show(self) -> None:
        self.none = gr.HTML(
            f'<p class="empty">{texts.NO_TRAININGS}</p>', padding=False, elem_id="train-none"
        )
        self.heading = gr.HTML(visible=False, padding=False, elem_id="train-heading")
        with gr.Row(visible=False, elem_classes="actions") as self.actions:
            self.stop = gr.Button(texts.STOP_TRAINING, elem_id="train-stop", min_width=100)
            self.go_on = gr.Button(
                texts.GO_ON, variant="primary", elem_id="train-go-on", min_width=100
            )
            self.use = gr.Button(texts.USE, variant="primary", elem_id="train-use", min_width=100)
            self.forget = gr.Button(texts.FORGET, elem_id="train-forget", min_width=100)
        self.sheet = gr.Image(
            visible=False, interactive=False, show_label=False, elem_id="train-sheet",
            buttons=["fullscreen"], type="filepath", container=False,
            alt_text=texts.DRAWN,
        )  # fmt: skip
        self.curves = gr.HTML(visible=False, padding=False, elem_id="train-curves")
        self.queue = gr.Radio(
            [], label=texts.QUEUE, visible=False, elem_id="train-queue", elem_classes="lines"
        )
        self.clock = gr.Timer(BEAT)

    @staticmethod
    def _about(mode: str) -> str:
        summary = modes.get(mode).summary
        return f"{summary[:1].upper()}{summary[1:]}."

    # Events -----------------------------------------------------------------------------------

    def _connect(self) -> None:
        raw: dict[str, Any] = {"preprocess": False, "show_progress": "hidden"}
        first = modes.names()[0]
        planning = [self.effort, *self.form.outputs, self.defaults]
        asked = [self.dropped, self.mode, self.effort, self.defaults, *self.form.inputs]
        for name, drop, note in [
            ("input_name", self.picture, self.note),
            *((n, file, self.file_notes[n]) for n, (_, file) in self.files.items()),
        ]:
            self._when_dropped(name, drop, note).then(
                self._plan, asked, planning, trigger_mode="always_last", **raw
            )
        boxes = [box for box, _ in self.files.values()]
        self.mode.change(
            self._choose_mode, [self.mode, self.effort], [self.about, *boxes, self.effort], **raw
        ).then(self._plan, asked, planning, trigger_mode="always_last", **raw)
        self.effort.input(self._plan, asked, planning, trigger_mode="always_last", **raw)
        choosers: list[Any] = self.form.choosers
        gr.on(
            [chooser.input for chooser in choosers],
            lambda mode, *values: self.form.show_chosen(values, {"train_mode": mode}),
            [self.mode, *self.form.inputs], self.form.places, **raw,
        )  # fmt: skip
        notes = [self.note, *self.file_notes.values(), self.trouble, *self.form.notes]
        panel = [
            self.none, self.heading, self.actions, self.stop, self.go_on, self.use, self.forget,
            self.sheet, self.curves, self.queue, self.selected, self.seen,
        ]  # fmt: skip
        self.panel = panel
        look = (self._look, [self.selected, self.seen], panel)
        self.start.click(
            lambda: gr.update(value=texts.CHECKING, interactive=False), None, [self.start], **raw
        ).then(
            self._start, asked, [self.selected, self.seen, *notes], concurrency_limit=4, **raw
        ).then(
            lambda: gr.update(value=texts.START, interactive=True), None, [self.start], **raw
        ).then(*look, **raw)  # fmt: skip
        for button, deed in (
            (self.stop, self.studio.trainings.stop),
            (self.go_on, self.studio.trainings.go_on),
            (self.forget, self.studio.trainings.forget),
        ):
            button.click(
                self._doing(deed), [self.selected], [self.trouble], **raw
            ).then(*look, **raw)  # fmt: skip
        self.queue.input(
            lambda key: (key if isinstance(key, str) else "", {}), [self.queue],
            [self.selected, self.seen], **raw,
        ).then(*look, **raw)  # fmt: skip
        self.use.click(self._use, [self.selected], [self.page.chosen, self.page.tabs], **raw)
        self.clock.tick(*look, **raw)
        self.page.blocks.load(*look, **raw)
        self.page.blocks.load(self.studio.worker.warm, None, None, **raw)
        self.page.blocks.load(
            lambda: self.form.show(None, {"train_mode": first}, modes.get(first).defaults), None,
            self.form.outputs, **raw,
        )  # fmt: skip

    def _when_dropped(self, name: str, drop: gr.Image, note: gr.HTML) -> Any:
        """Take note of a picture that is dropped, or taken away; then look whether it is one."""

        def received(value: Any, dropped: dict[str, Upload]) -> list[Any]:
            rest = {key: upload for key, upload in dropped.items() if key != name}
            try:
                upload = uploads.taken(value, self.studio.sessions.uploads)
            except ConSinGANError as error:
                return [rest, _note(self._sentence(error, {}))]
            return [rest if upload is None else {**rest, name: upload}, _note()]

        def check(dropped: dict[str, Upload], request: gr.Request) -> list[Any]:
            upload = dropped.get(name)
            if upload is None:
                return [gr.skip(), gr.skip(), gr.skip()]
            folder = self.studio.sessions.of(request)
            shown = None if upload.is_shown else folder / f"{name}-{upload.path.parent.name}.png"
            try:
                self.studio.worker.check_picture(upload.path, shown)
            except ConSinGANError as error:
                rest = {key: other for key, other in dropped.items() if key != name}
                return [None, rest, _note(self._sentence(error, dropped))]
            return [gr.skip() if shown is None else str(shown), gr.skip(), gr.skip()]

        raw: dict[str, Any] = {"preprocess": False, "show_progress": "hidden"}
        return gr.on(
            [drop.upload, drop.clear], received, [drop, self.dropped], [self.dropped, note], **raw
        ).then(check, [self.dropped], [drop, self.dropped, note], **raw)

    def _choose_mode(self, mode: Any, effort: Any) -> list[Any]:
        mode = mode if mode in modes.names() else modes.names()[0]
        wanted = wanted_files(mode)
        boxes = [gr.update(visible=name in wanted) for name in self.slots]
        return [self._about(mode), *boxes, self._efforts({})]

    def _plan(
        self, dropped: dict[str, Upload], mode: Any, effort: Any, defaults: dict[str, Any],
        *values: Any,
    ) -> list[Any]:  # fmt: skip
        """The time that every effort takes, and the options as the chosen one has them."""
        nothing = [gr.skip()] * (len(self.form.outputs) + 2)
        if mode not in modes.names():
            return nothing
        chosen = {"train_mode": mode}
        base = dict(modes.get(mode).defaults)
        plans: dict[str, Any] = {}
        try:
            typed = self.form.typed(values, chosen, defaults or base)
            flags = self._flags(dropped, mode, typed)
            if not self._lacks(dropped, mode):
                plans = {e: self.studio.worker.plan(self._with(flags, e)) for e in texts.EFFORTS}
        except ConSinGANError:  # is told when the training is to start
            return nothing
        own = plans[effort].preset if effort in plans else {}
        shown = self.form.show(typed, chosen, {**base, **own})
        return [self._efforts(plans, effort), *shown, {**base, **own}]

    def _efforts(self, plans: dict[str, Any], effort: Any = None) -> Any:
        labels = []
        for name, label in texts.EFFORTS.items():
            if name in plans:
                time = console.in_words(plans[name].seconds)
                for unit, short in texts.UNITS.items():
                    time = time.replace(unit, short)
                label = texts.PLAN.format(name=label, time=time)
            labels.append((label, name))
        info = texts.EFFORT_INFO
        if effort in plans:
            plan = plans[effort]
            info += " " + texts.PLAN_INFO.format(
                width=plan.size[0], height=plan.size[1], stages=plan.stages, niter=plan.niter
            )
        return gr.update(choices=labels, info=info)

    def _flags(
        self, dropped: dict[str, Upload], mode: str, typed: dict[str, Any]
    ) -> dict[str, Any]:
        """The flags of a training on the files as they were dropped."""
        files = {
            name: str(upload.path) for name, upload in dropped.items()
            if name in ("input_name", *wanted_files(mode))
        }  # fmt: skip
        folder = str(self.studio.models.folder)
        return {**typed, **files, "train_mode": mode, "output_dir": folder}

    @staticmethod
    def _with(flags: dict[str, Any], effort: Any) -> dict[str, Any]:
        return {**flags, "preset": effort} if effort in PRESETS.names() else flags

    @staticmethod
    def _lacks(dropped: dict[str, Upload], mode: str) -> str | None:
        """The file that has to be dropped before a training can start."""
        needed = ["input_name"] + [n for n in wanted_files(mode) if n != "naive_img"]
        return next((name for name in needed if name not in dropped), None)

    def _start(
        self, dropped: dict[str, Upload], mode: Any, effort: Any, defaults: dict[str, Any],
        *values: Any,
    ) -> list[Any]:  # fmt: skip
        """Check everything, then put the training into the queue."""
        try:
            if mode not in modes.names() or effort not in texts.EFFORTS:
                raise UsageError("`train_mode` is not one of the page's")
            lacking = self._lacks(dropped, mode)
            if lacking is not None:
                text = texts.DROP_FIRST if lacking == "input_name" else texts.FILE_NEEDED
                return [gr.skip(), gr.skip(), *self._complain(lacking, text)]
            chosen = {"train_mode": mode}
            typed = self.form.typed(values, chosen, defaults or modes.get(mode).defaults)
            flags = self._with(self._flags(dropped, mode, typed), effort)
            launch.configure({k: v for k, v in flags.items() if k != "preset"})
            self.studio.worker.check(flags)
            for name in [name for name in dropped if name in flags]:
                flags[name] = str(self.studio.pictures.keep(dropped[name]))
            job = self.studio.trainings.add(dropped["input_name"].stem, mode, effort, flags)
        except ConSinGANError as error:
            text, option = self._sentence(error, dropped), error.option or ""
            return [gr.skip(), gr.skip(), *self._complain(option, text, error)]
        except OSError as error:
            return [gr.skip(), gr.skip(), *self._complain("", str(error.strerror))]
        return [job.id, {}, *self._complain()]

    def _complain(
        self, option: str = "", text: str = "", error: ConSinGANError | None = None
    ) -> list[Any]:
        """Updates of the notes: the text beside what it is about, the others empty."""
        places = ["input_name", *self.file_notes]
        in_form = error is not None and self.form.says(error)
        notes = [_note(text if option == name else "") for name in places]
        elsewhere = option in places or in_form
        return [*notes, _note("" if elsewhere else text), *self.form.complain(error)]

    def _sentence(self, error: ConSinGANError, dropped: dict[str, Upload]) -> str:
        text = error.marked
        for upload in dropped.values():
            text = text.replace(str(upload.path), upload.name)
        return training_view.sentence(text)

    def _doing(self, deed: Any) -> Any:
        def do(selected: str) -> Any:
            try:
                deed(selected)
            except ConSinGANError as error:
                return _note(training_view.sentence(error.marked))
            return _note()

        return do

    def _use(self, selected: str) -> list[Any]:
        try:
            run = self.studio.trainings.get(selected).run
            key = self.studio.models.id_of(run) if run is not None else ""
            self.studio.models.path(key)
        except (ConSinGANError, ValueError):
            return [gr.skip(), gr.skip()]
        return [key, gr.Tabs(selected="draw")]

    # What is shown of trainings ---------------------------------------------------------------

    def _look(self, selected: str, seen: dict[str, Any]) -> list[Any]:
        """Updates of the panel: only what has changed since the page last looked."""
        trainings = self.studio.trainings
        jobs = trainings.list()
        job = next((one for one in jobs if one.id == selected), None) or _first(jobs)
        now: dict[str, Any] = {"none": job is None, "queue": [], "key": job.id if job else ""}
        if job is not None:
            now["heading"] = training_view.heading(job, trainings, jobs)
            now["curves"] = training_view.losses(job)
            path = training_view.preview(job)
            now["sheet"] = (str(path), path.stat().st_mtime_ns) if path is not None else None
            now["queue"] = [
                (training_view.row(one, trainings, jobs), one.id) for one in reversed(jobs)
            ]
            now["state"] = "stopping" if trainings.is_stopping(job) else job.state
        update = {key: value for key, value in now.items() if seen.get(key, _NEVER) != value}

        def changed(key: str, **values: Any) -> Any:
            return gr.update(**values) if key in update else gr.skip()

        state, queue = now.get("state", ""), now["queue"]
        sheet = now.get("sheet")
        return [
            changed("none", visible=job is None),
            changed("heading", value=now.get("heading", ""), visible=job is not None),
            changed("state", visible=job is not None),
            changed("state", visible=state in (RUNNING, WAITING)),
            changed("state", visible=state in GOING_ON),
            changed("state", visible=state == DONE),
            changed("state", visible=state not in (RUNNING, "stopping")),
            changed("sheet", value=sheet and sheet[0], visible=sheet is not None),
            changed("curves", value=now.get("curves", ""), visible=bool(now.get("curves"))),
            gr.update(choices=queue, value=now["key"], visible=len(queue) > 0)
            if "queue" in update or "key" in update
            else gr.skip(),
            gr.skip() if now["key"] == selected else now["key"],  # or it would undo a choice
            now,
        ]


_NEVER = object()


def _first(jobs: list[Job]) -> Job | None:
    """The training that a page shows at first."""
    for state in FIRST:
        found = [job for job in jobs if job.state == state]
        if found:
            return max(found, key=lambda job: job.since)
    return None


def _note(text: str = "") -> Any:
    return gr.update(value=as_note(text), visible=bool(text))
