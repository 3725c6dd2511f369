"""The form of what a model is asked to do, shared by the tabs that draw."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ConSinGAN import ask, modes
from ConSinGAN.evaluation import MOVIES, SCHEMA
from ConSinGAN.registry import TASKS
from ConSinGAN.studio import texts
from ConSinGAN.studio.forms import Form

if TYPE_CHECKING:
    from ConSinGAN.config import TrainConfig

# What a form begins with, where that is not what the command line does without a flag.
STARTS: dict[str, Any] = {
    "num_samples": 8, "scale_h": 1.0, "scale_w": 1.0, "num_frames": 40, "moves_from": 0,
    "beta": 0.9, "distance": 0.3, "extend": (0, 40, 0, 40),
}  # fmt: skip
FOLDED = ("first", "scale_h", "scale_w", "tile", "window", "format", "precision")
BESIDE = ("seed", "format", "precision")  # options of the script that are the page's, too
RANGES = {
    "num_samples": (1, 32), "num_frames": (2, 200), "start_scale": (0, 8), "moves_from": (0, 8),
    "distance": (0, 1), "beta": (0, 1), "fps": (1, 60),
}  # fmt: skip
GIVEN = "naive_img"  # what tasks of the tab Paint are given
NUMBER = re.compile(r"_([0-9]{1,9})(?:_laid)?$")  # ends the name of a drawing that is of a series


def make_form(prefix: str) -> Form:
    """The form of all tasks; of a path it has none."""
    return Form(SCHEMA, prefix, texts.OPTIONS, texts.OPTION_HELPS, RANGES)


def names_of(tasks: Sequence[str]) -> list[str]:
    """The options of these tasks, and of the script, that a form shows; in their order."""
    found: dict[str, None] = {}
    for name, owned in SCHEMA.options.items():
        if not SCHEMA.is_path(name) and (set(owned.owners) & set(tasks) or name in BESIDE):
            found[name] = None
    return list(found)


def suited(config: TrainConfig, given: bool = False) -> list[str]:
    """The tasks that suit a run, those that are given a picture to work on or the others."""
    found = ask.suited_tasks(config)
    return [name for name in found if takes(name, GIVEN) == given]


def all_tasks(given: bool = False) -> list[str]:
    """All tasks of a tab; see `suited`."""
    return [name for name in TASKS.names() if takes(name, GIVEN) == given]


def takes(task: str, option: str) -> bool:
    """Whether an option is the task's."""
    return task in SCHEMA.options[option].owners


def file_of(task: str) -> str | None:
    """The option by which the task is given a picture, its mask aside."""
    for name in (GIVEN, "content_img"):
        if takes(task, name):
            return name
    return None


def starts(config: TrainConfig, task: str) -> dict[str, Any]:
    """What the form shows at first for this model and task."""
    defaults = dict(TASKS.load(task).defaults)
    moving = TASKS.load(task).moves
    return {**STARTS, **defaults, **({"format": "mp4"} if moving else {})}


def restored(config: TrainConfig, task: str) -> dict[str, Any]:
    """What stands in the form beside restored settings: what a flag that is not there means."""
    return dict(TASKS.load(task).defaults)


def limits(config: TrainConfig) -> dict[str, tuple[float, float]]:
    """Where this model's options end before the options' own ends."""
    last = config.train_stages - 1
    return {"start_scale": (0, last), "moves_from": (0, last)}


def flags_of(form: Form, task: str, values: Sequence[Any]) -> dict[str, Any]:
    """The flags that a form stands for. Raises UsageError, naming the option."""
    given = form.typed(values, {"task": task}, TASKS.load(task).defaults)
    if "size" in given:  # what is seen and said last
        given.pop("scale_h", None)
        given.pop("scale_w", None)
    if "near" not in given:
        given.pop("distance", None)
    if given.get("format") in MOVIES and not TASKS.load(task).moves:
        given.pop("format")
    return {"task": task, **given}


def describe(config: TrainConfig) -> str:
    """What a run is for, in one line."""
    summary = modes.get(config.train_mode).summary
    return f"{summary[:1].upper()}{summary[1:]}."


def number_of(name: str) -> int | None:
    """The number in its series of a drawing of that name."""
    found = NUMBER.search(name)
    return int(found[1]) if found else None


def again(task: str, values: Mapping[str, Any], drawing: str) -> dict[str, Any]:
    """Values by which one drawing is drawn again, alone where that can be asked for."""
    number = number_of(drawing)
    if number is None or not takes(task, "first"):
        return dict(values)
    return {**values, "first": number, "num_samples": 1}
