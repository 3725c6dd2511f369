"""Forms: controls generated from classes of options, and what they say back as options.

    form = Form(SCHEMA, "draw", labels)
    form.place(["num_samples", "size"])          # where the page wants them
    form.fold(["niter", "lr_g"])                 # the others, in folded groups by owner
    go.click(run, form.inputs, form.outputs, preprocess=False)

Events that read a form need `preprocess=False`: the house's own checks judge the raw values, so
that what is wrong is said beside the control and not in a corner of the screen.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.options import NONE, check_value, field_of, listed, scalar_type
from ConSinGAN.owners import Schema

UNLIMITED = 10**9  # what `options.option` puts where a whole number has no upper limit
EXACT = 2**53  # whole numbers from here on are no numbers to a browser
WIDE = 200  # values from end to end that a slider can still be set to
LONGEST = 40  # characters of a number
AUTOMATIC = ""  # what a list of choices holds for "nothing chosen"


@dataclass(frozen=True)
class Spec:
    """One option, as a control shows it.

    parts: names of its numbers, one or several. low, high: inclusive limits, None for none. above:
    an exclusive one. several: words of which any may be chosen.
    """

    name: str
    cls: type
    kind: type
    default: Any
    help: str
    parts: tuple[str, ...]
    choices: tuple[str, ...]
    several: tuple[str, ...]
    low: float | None
    high: float | None
    above: float | None

    @classmethod
    def of(cls, schema: Schema, name: str) -> Spec:
        """The option of that name."""
        owner = schema.options[name].cls
        field, meta = field_of(owner, name), field_of(owner, name).metadata
        parts = meta["metavar"] if isinstance(meta["metavar"], tuple) else ("",)
        high = None if meta["high"] in (None, UNLIMITED) else meta["high"]
        return cls(
            name, owner, scalar_type(owner, name), field.default, meta["help"].replace("%%", "%"),
            parts, tuple(meta["choices"] or ()), tuple(meta["several"] or ()), meta["low"], high,
            meta["above"],
        )  # fmt: skip

    @property
    def as_text(self) -> bool:
        """Whether it is a whole number that a browser may not hold."""
        return self.kind is int and self.high is not None and self.high > EXACT

    def slides(self, default: Any, low: float | None, high: float | None) -> bool:
        """Whether a slider suits it: a number with two ends that are not far from each other."""
        if default is None or low is None or high is None or len(self.parts) > 1:
            return False
        return self.kind in (int, float) and high - low <= WIDE

    def limits(self) -> str:
        """Its limits in words; empty without."""
        low, high = (None if end is None else f"{end:g}" for end in (self.low, self.high))
        if self.as_text or self.kind is bool or self.choices:
            return ""
        if self.above is not None:
            return f"more than {self.above:g}" + (f", up to {high}" if high else "")
        if low and high:
            return f"{low} to {high}"
        return f"from {low}" if low else f"up to {high}" if high else ""

    def read(self, raw: Sequence[Any]) -> Any:
        """What raw values of its controls say, not checked; None if they are empty."""
        values = [self._read_one(one) for one in raw]
        if all(value is None for value in values):
            return None
        if len(self.parts) > 1:
            if None in values:
                raise UsageError(
                    f"`{self.name}` takes {len(values)} numbers: fill in all of them, or none"
                )
            return tuple(values)
        return values[0]

    def _read_one(self, raw: Any) -> Any:
        if self.several and isinstance(raw, list):
            return ",".join(map(str, raw)) or NONE
        if isinstance(raw, str):
            raw = raw.strip()
            if not raw:
                return None
            if self.kind is int and len(raw) <= LONGEST and raw.isascii() and raw.isdigit():
                return int(raw)
        if self.kind is int and isinstance(raw, float) and math.isfinite(raw) and raw == int(raw):
            return int(raw)
        return raw

    def shown(self, value: Any) -> list[Any]:
        """A value as its controls hold it."""
        if len(self.parts) > 1:
            return [None] * len(self.parts) if value is None else list(value)
        if self.as_text:
            return ["" if value is None else str(value)]
        if self.several:
            return [listed(value)]
        return [AUTOMATIC if value is None and self.choices else value]


class Form:
    """Controls of some options of a schema."""

    def __init__(
        self, schema: Schema, prefix: str, labels: Mapping[str, str] | None = None,
        helps: Mapping[str, str] | None = None,
        ranges: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:  # fmt: skip
        """prefix: of the controls' ids, "draw-seed". labels, helps: what to call options and to say
        of them, where their own words are not the page's; also names of numbers ("H") and groups.
        ranges: what sliders go from and to, where options have no such ends.
        """
        self.ranges = ranges or {}
        self.schema, self.prefix = schema, prefix
        self.labels, self.helps = labels or {}, helps or {}
        self.specs: dict[str, Spec] = {}
        self.controls: dict[str, list[Component]] = {}
        self._boxes: dict[str, gr.Column] = {}
        self._notes: dict[str, gr.HTML] = {}
        self._folds: list[tuple[gr.Accordion, list[str]]] = []

    def __contains__(self, name: str) -> bool:
        return name in self.specs

    # Building ---------------------------------------------------------------------------------

    def place(
        self, names: Iterable[str], values: Mapping[str, Any] | None = None, lone: bool = False
    ) -> None:
        """Put the controls of these options here; call it within gr.Blocks.

        values: defaults that differ from the options' own. lone: without help texts.
        """
        with gr.Row(elem_classes="options"):
            for name in names:
                self._place(name, (values or {}).get(name), lone)

    def fold(self, names: Iterable[str], values: Mapping[str, Any] | None = None) -> None:
        """Put these options here in groups, one for every owner, which are folded at first."""
        groups: dict[str, list[str]] = {}
        for name in names:
            groups.setdefault(self.schema.title(name), []).append(name)
        for title, members in groups.items():
            with gr.Accordion(self._label(title), open=False) as group:
                self.place(members, values)
            self._folds.append((group, members))

    def _place(self, name: str, value: Any, lone: bool) -> None:
        if self.schema.is_path(name):
            raise ValueError(f"{name}: no path is typed on a page")
        spec = self.specs[name] = Spec.of(self.schema, name)
        value = spec.default if value is None else value
        with gr.Column(min_width=200, elem_classes="option") as box:
            if len(spec.parts) == 1:
                self.controls[name] = [self._control(spec, value, lone)]
            else:
                self.controls[name] = self._numbers(spec, value, lone)
            note = gr.HTML("", visible=False, elem_id=f"{self._id(name)}-note", padding=False)
        self._boxes[name], self._notes[name] = box, note

    def _numbers(self, spec: Spec, value: Any, lone: bool) -> list[Component]:
        legend = html.escape(self._label(spec.name))
        gr.HTML(f'<span class="legend">{legend}</span>', padding=False)
        with gr.Row(elem_classes="numbers"):
            controls = [
                self._number(
                    spec, one, self._part(part), elem_id=f"{self._id(spec.name)}-{part.lower()}"
                )
                for part, one in zip(spec.parts, spec.shown(value), strict=True)
            ]  # fmt: skip
        if not lone and (about := self._about(spec)):
            gr.HTML(f'<span class="hint">{html.escape(about)}</span>', padding=False)
        return controls

    def _control(self, spec: Spec, value: Any, lone: bool) -> Component:
        common: dict[str, Any] = {"label": self._label(spec.name), "interactive": True}
        common["elem_id"] = self._id(spec.name)
        if not lone:
            common["info"] = self._about(spec) or None  # shown as text
        if spec.kind is bool:
            return gr.Checkbox(bool(value), **common)
        if spec.choices:
            names = [(self._label(one), one) for one in spec.choices]
            if spec.default is None:
                names.insert(0, (self._label("automatic"), AUTOMATIC))
            return gr.Dropdown(names, value=spec.shown(value)[0], **common)
        if spec.several:
            names = [(self._label(one), one) for one in spec.several]
            return gr.CheckboxGroup(names, value=spec.shown(value)[0], **common)
        if spec.kind is str or spec.as_text:
            return gr.Textbox(spec.shown(value)[0], max_lines=1, max_length=1000, **common)
        low, high = self.ranges.get(spec.name, (spec.low, spec.high))
        if spec.slides(value, low, high):
            assert low is not None and high is not None
            return gr.Slider(
                low, high, value, step=_step(spec, low, high),
                precision=0 if spec.kind is int else None, buttons=[], **common,
            )  # fmt: skip
        return self._number(spec, value, **common)

    def _number(self, spec: Spec, value: Any, label: str, **more: Any) -> Component:
        return gr.Number(
            value, label=label, precision=0 if spec.kind is int else None, min_width=70,
            minimum=spec.low, maximum=spec.high, step=1 if spec.kind is int else 0.01,
            placeholder=self._label("automatic") if spec.default is None else None,
            interactive=True, **{k: v for k, v in more.items() if k != "interactive"},
        )  # fmt: skip

    def _id(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def _label(self, name: str) -> str:
        if name in self.labels:
            return self.labels[name]
        words = name.replace("_", " ")
        return words[:1].upper() + words[1:]

    def _part(self, part: str) -> str:
        return self.labels.get(part, part.lower())

    def _about(self, spec: Spec) -> str:
        text = self.helps.get(spec.name, spec.help)
        limits = "" if spec.name in self.ranges else spec.limits()  # a slider shows its own
        text = text[:1].upper() + text[1:]
        return f"{text} ({limits})." if text and limits else text and f"{text}."

    # What events read and change --------------------------------------------------------------

    @property
    def inputs(self) -> list[Component]:
        """All controls, in the order that `typed` and `raw` want their values in."""
        return [control for controls in self.controls.values() for control in controls]

    @property
    def notes(self) -> list[Component]:
        """What `complain` changes."""
        return [self._notes[name] for name in self.controls]

    @property
    def outputs(self) -> list[Any]:
        """What `show` changes."""
        boxes = [self._boxes[name] for name in self.controls]
        return [*self.inputs, *boxes, *(fold for fold, _ in self._folds)]

    @property
    def places(self) -> list[Any]:
        """What `show_chosen` changes."""
        return self.outputs[len(self.inputs) :]

    @property
    def choosers(self) -> list[Component]:
        """The controls that choose a component, on which depends which options there are."""
        options = [family.option for family in self.schema.families.values()]
        return [self.controls[name][0] for name in options if name in self.controls]

    def raw(self, values: Sequence[Any]) -> dict[str, list[Any]]:
        """The values of `inputs` by option."""
        found, rest = {}, list(values)
        for name, controls in self.controls.items():
            found[name], rest = rest[: len(controls)], rest[len(controls) :]
        return found

    def typed(
        self, values: Sequence[Any], chosen: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """The options that differ from their defaults, checked one by one.

        values: of `inputs`, as the browser sent them. chosen: what chooses components and is no
        part of the form, such as a mode. defaults: that differ from the options' own. Options of
        components that are not chosen are left out. Raises UsageError, naming the option.
        """
        raw = self.raw(values)
        owners = self.chosen(values, chosen)
        typed = {}
        for name, spec in self.specs.items():
            if not self._belongs(name, owners):
                continue
            default = {**(defaults or {})}.get(name, spec.default)
            value = spec.read(raw[name])
            if value is None:
                continue
            value = check_value(spec.cls, name, value)
            if value != default:
                typed[name] = value
        return typed

    def chosen(
        self, values: Sequence[Any], also: Mapping[str, Any] | None = None
    ) -> dict[str, str | None]:
        """The components that controls, and what stands beside the form, choose, by family."""
        raw = self.raw(values)
        options = [family.option for family in self.schema.families.values()]
        said = {name: raw[name][0] for name in options if name in raw and raw[name][0]}
        chosen: dict[str, Any] = self.schema.chosen({**said, **(also or {})})
        return {kind: name if isinstance(name, str) else None for kind, name in chosen.items()}

    def _belongs(self, name: str, owners: Mapping[str, str | None]) -> bool:
        owned = self.schema.options[name]
        return not owned.owners or owners[owned.kind] in owned.owners

    def show(
        self, values: Mapping[str, Any] | None = None, chosen: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
        limits: Mapping[str, tuple[float, float]] | None = None, keep: Sequence[str] = (),
    ) -> list[Any]:  # fmt: skip
        """Updates of `outputs`: these values, defaults for all others, the chosen's options alone.

        limits: lowest and highest values, where they are narrower than an option's own. keep:
        options whose controls stay as they are.
        """
        there = {**(defaults or {}), **(values or {})}
        updates: list[Any] = []
        for name, spec in self.specs.items():
            ends = (limits or {}).get(name)
            value = there.get(name, spec.default)
            for control, one in zip(self.controls[name], spec.shown(value), strict=True):
                update: dict[str, Any] = {"value": one}
                if ends is not None and isinstance(control, gr.Slider | gr.Number):
                    update |= {"minimum": ends[0], "maximum": ends[1]}
                updates.append(gr.skip() if name in keep else gr.update(**update))
        shown = [value for option in self.specs for value in self._shown(option, there)]
        return [*updates, *self.show_chosen(shown, chosen)]

    def _shown(self, name: str, there: Mapping[str, Any]) -> list[Any]:
        spec = self.specs[name]
        return spec.shown(there.get(name, spec.default))

    def show_chosen(
        self, values: Sequence[Any], chosen: Mapping[str, Any] | None = None
    ) -> list[Any]:
        """Updates of `places`, when another component was chosen: only its options are there."""
        owners = self.chosen(values, chosen)
        there = {name: self._belongs(name, owners) for name in self.specs}
        boxes = [gr.update(visible=there[name]) for name in self.specs]
        folds = [gr.update(visible=any(there[n] for n in members)) for _, members in self._folds]
        return [*boxes, *folds]

    def complain(self, error: ConSinGANError | None = None) -> list[Any]:
        """Updates of `notes`: the error below the control that it names, the others empty."""
        named = None if error is None else error.option
        return [
            gr.update(value=as_note(str(error)) if name == named else "", visible=name == named)
            for name in self.controls
        ]

    def says(self, error: ConSinGANError) -> bool:
        """Whether `complain` has a place for the error; else the page needs another."""
        return error.option in self.controls


def as_note(message: str) -> str:
    """A message for a gr.HTML: text alone, whatever is in it, and read out when it appears."""
    return f'<p class="error" role="alert">{html.escape(message)}</p>' if message else ""


def names_for(schema: Schema, leave_out: Iterable[str] = ()) -> list[str]:
    """The options of a schema that a form can show: all but paths, and those that are left out."""
    left = set(leave_out)
    return [name for name in schema.options if name not in left and not schema.is_path(name)]


def _step(spec: Spec, low: float, high: float) -> float:
    if spec.kind is int:
        return 1
    return 10 ** math.floor(math.log10(high - low) - 2)
