"""Forms: every option of every script has a control, and comes back as it went."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

gr = pytest.importorskip("gradio", reason="the studio needs Gradio")

from ConSinGAN import config, evaluation  # noqa: E402
from ConSinGAN.errors import UsageError  # noqa: E402
from ConSinGAN.options import field_of, scalar_type  # noqa: E402
from ConSinGAN.owners import Schema  # noqa: E402
from ConSinGAN.studio.forms import Form, names_for  # noqa: E402

SCHEMAS = {"train": config.SCHEMA, "draw": evaluation.SCHEMA}
OPTIONS = [(which, name) for which, schema in SCHEMAS.items() for name in names_for(schema)]
HOSTILE = [
    [1], {"path": "/etc/passwd"}, "../../etc/passwd", "<script>alert(1)</script>", "9" * 5000,
    -(10**30), float("nan"), float("inf"), "\0", True, object(),
]  # fmt: skip


async def make(schema: Schema) -> Form:
    """A form of all that the schema has; in a loop, or Gradio leaves several unclosed."""
    form = Form(schema, "test")
    with gr.Blocks():
        form.place(names_for(schema)[:5])
        form.fold(names_for(schema)[5:])
    return form


@pytest.fixture(scope="module")
def forms() -> dict[str, Form]:
    return {which: asyncio.run(make(schema)) for which, schema in SCHEMAS.items()}


def chosen_for(schema: Schema, name: str) -> dict[str, str]:
    """What has to be chosen for the option to count."""
    owned = schema.options[name]
    return {schema.families[owned.kind].option: owned.owners[0]} if owned.owners else {}


def another(schema: Schema, name: str) -> Any:
    """A value that the option may have and has not by default."""
    field = field_of(schema.options[name].cls, name)
    meta, kind = field.metadata, type(field.default)
    if kind is bool:
        return not field.default
    if meta["choices"]:
        return next((one for one in meta["choices"] if one != field.default), field.default)
    low = meta["low"] if meta["low"] is not None else (meta["above"] or 0) + 1
    high = meta["high"] if meta["high"] is not None else low + 1
    if isinstance(meta["metavar"], tuple):
        return tuple(low + index for index in range(len(meta["metavar"])))
    scalar = scalar_type(schema.options[name].cls, name)
    if scalar is str:
        return meta["several"][0] if meta["several"] else "something"
    return scalar(high if high != field.default else low)


def values_in(form: Form, updates: list[Any]) -> list[Any]:
    """What the browser's controls hold after updates of `outputs`, as it sends them."""
    return [update["value"] for update in updates[: len(form.inputs)]]


def test_every_option_but_paths_has_a_control(forms: Mapping[str, Form]) -> None:
    for which, schema in SCHEMAS.items():
        missing = set(schema.options) - set(forms[which].controls)
        assert all(schema.is_path(name) for name in missing)
        assert len(forms[which].inputs) >= len(forms[which].controls)


@pytest.mark.parametrize("which", SCHEMAS)
def test_what_nobody_touched_is_not_typed(forms: Mapping[str, Form], which: str) -> None:
    form = forms[which]
    assert form.typed([control.value for control in form.inputs]) == {}
    for component in SCHEMAS[which].families.values():
        for name in component.names():
            shown = form.show(chosen={component.option: name})
            assert form.typed(values_in(form, shown), {component.option: name}) == {}


@pytest.mark.parametrize(("which", "name"), OPTIONS)
def test_an_option_comes_back_as_it_went(forms: Mapping[str, Form], which: str, name: str) -> None:
    form, schema = forms[which], SCHEMAS[which]
    value, chosen = another(schema, name), chosen_for(schema, name)
    raw = values_in(form, form.show({name: value}, chosen))
    typed = form.typed(raw, chosen)
    if value == field_of(schema.options[name].cls, name).default:
        assert typed == {}  # there is no other
    else:
        assert typed == {name: value}
        assert type(typed[name]) is type(value)
    schema.build(chosen, typed=typed)  # the house takes it


def test_of_several_words_each_has_a_box(forms: Mapping[str, Form]) -> None:
    form = forms["train"]
    (control,) = form.controls["augment_critic"]
    assert isinstance(control, gr.CheckboxGroup)
    assert [value for _, value in control.choices] == ["colour", "translation", "cutout"]
    raw = [one.value for one in form.inputs]
    place = form.inputs.index(control)
    for ticked, said in ((["cutout", "colour"], {"augment_critic": "colour,cutout"}), ([], {})):
        assert form.typed([*raw[:place], ticked, *raw[place + 1 :]]) == said
    with pytest.raises(UsageError, match=r"^augment_critic takes none, or some of"):
        form.typed([*raw[:place], ["colour", "blur"], *raw[place + 1 :]])


@pytest.mark.parametrize("which", SCHEMAS)
def test_defaults_of_a_mode_or_task_are_not_typed(forms: Mapping[str, Form], which: str) -> None:
    form, schema = forms[which], SCHEMAS[which]
    name = "niter" if which == "train" else "num_samples"
    raw = values_in(form, form.show(defaults={name: 7}))
    chosen = {"task": "samples"} if which == "draw" else {}
    assert form.typed(raw, chosen, {name: 7}) == {}
    assert form.typed(raw, chosen) == {name: 7}
    assert schema.check({name: 7}) == {name: 7}


def test_only_the_chosen_ones_options_count_and_are_there(forms: Mapping[str, Form]) -> None:
    form = forms["draw"]
    raw = values_in(form, form.show({"loop": True, "seed": 2**63 - 1}, {"task": "animation"}))
    assert form.typed(raw, {"task": "animation"}) == {"loop": True, "seed": 2**63 - 1}
    assert form.typed(raw, {"task": "samples"}) == {"seed": 2**63 - 1}
    shown = form.show_chosen(raw, {"task": "samples"})
    there = dict(zip(form.controls, (update["visible"] for update in shown), strict=False))
    assert there["num_samples"] and there["seed"] and not there["loop"] and not there["extend"]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("which", SCHEMAS)
def test_whatever_a_browser_sends_is_an_option_or_one_line(
    forms: Mapping[str, Form], which: str, value: Any
) -> None:
    form, schema = forms[which], SCHEMAS[which]
    for name, spec in form.specs.items():
        raw = [control.value for control in form.inputs]
        first = form.inputs.index(form.controls[name][0])
        raw[first : first + len(spec.parts)] = [value] * len(spec.parts)
        chosen = {k: v for k, v in chosen_for(schema, name).items() if k != name}
        try:
            typed = form.typed(raw, chosen)
        except UsageError as error:
            assert error.option == name and "\n" not in str(error)
            continue
        schema.check(typed)


def test_an_error_stands_below_the_control_that_it_names(forms: Mapping[str, Form]) -> None:
    form = forms["draw"]
    raw = values_in(form, form.show({"fps": 10}, {"task": "animation"}))
    raw[form.inputs.index(form.controls["fps"][0])] = 1000
    with pytest.raises(UsageError) as caught:
        form.typed(raw, {"task": "animation"})
    notes = dict(zip(form.controls, form.complain(caught.value), strict=True))
    assert "fps must be at most 120, not 1000" in notes["fps"]["value"]
    assert [name for name, note in notes.items() if note["visible"]] == ["fps"]
    assert not any(note["visible"] for note in form.complain())
    assert form.says(caught.value) and not form.says(UsageError("`model_dir` is gone"))


def test_what_a_message_quotes_is_text(forms: Mapping[str, Form]) -> None:
    error = UsageError("`seed` takes a whole number, not '<img src=x onerror=alert(1)>'")
    notes = dict(zip(forms["draw"].controls, forms["draw"].complain(error), strict=True))
    assert "<img" not in notes["seed"]["value"] and "&lt;img" in notes["seed"]["value"]


def test_half_of_a_size_is_an_error(forms: Mapping[str, Form]) -> None:
    form = forms["draw"]
    raw = values_in(form, form.show(chosen={"task": "samples"}))
    raw[form.inputs.index(form.controls["size"][0])] = 40
    with pytest.raises(UsageError, match="takes 2 numbers: fill in all"):
        form.typed(raw, {"task": "samples"})


def test_paths_have_no_control() -> None:
    async def place() -> None:
        with gr.Blocks():
            Form(config.SCHEMA, "test").place(["input_name"])

    with pytest.raises(ValueError, match="no path"):
        asyncio.run(place())
