"""What becomes of a file's or a run's options when other components are chosen than it had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ConSinGAN import modes
from ConSinGAN.config import FAMILIES, SCHEMA, TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.options import FileValues, Scope, field_of
from ConSinGAN.registry import GENERATORS

PARTS = {kind: family for kind, family in FAMILIES.items() if kind != "mode"}


def wanted(flags: Mapping[str, Any]) -> dict[str, str]:
    """The components that flags choose, and those that these need, by option."""
    options = [family.option for family in FAMILIES.values()]
    typed = SCHEMA.check({name: flags[name] for name in options if name in flags})
    return {option: name for _, option, name in SCHEMA.needs(SCHEMA.chosen(typed))} | typed


def moved(of_run: Mapping[str, Any], chosen: Mapping[str, str]) -> set[str]:
    """Options that only have what a run's components made their default, where others are chosen.

    And the number of stages, where the generator is another. of_run: all that the run's components
    have. chosen: components by option.
    """
    families = [family for family in PARTS.values() if family.option in of_run]
    before = {family.option: family.find(of_run[family.option]) for family in families}
    usual = {name: field_of(one.cls, name).default for name, one in SCHEMA.options.items()}
    usual |= modes.get(of_run.get("train_mode", TrainConfig.train_mode)).defaults
    for component in before.values():
        usual |= component.defaults
    names: set[str] = set()
    for family in families:
        old, new = before[family.option], chosen.get(family.option, of_run[family.option])
        if new != old.name:
            names |= {*old.defaults, *family.find(new).defaults}
            names |= {"train_stages"} if family is GENERATORS else set()
    usual["train_stages"] = of_run.get("train_stages")
    return {name for name in names if name in of_run and of_run[name] == usual[name]}


def without_moved(values: FileValues, wanted: Mapping[str, str]) -> FileValues:
    """What a run's file says, of what still holds where flags want these components."""
    kept = without_rivals(values, wanted)
    mode = modes.get(values.get("train_mode", TrainConfig.train_mode))
    kinds = SCHEMA.chosen(mode.defaults, kept, wanted)
    chosen = {family.option: kinds[kind] for kind, family in PARTS.items()}
    stale = moved(values, chosen)
    return FileValues({n: v for n, v in kept.items() if n not in stale}, values.lines)


def without_rivals(values: FileValues, wanted: Mapping[str, str]) -> FileValues:
    """Without components that do not go with others."""
    rivals = set()
    for option, needs in _needs_of(values).items():
        together = {option: values[option], **needs}
        if any(wanted.get(other, name) != name for other, name in together.items()):
            rivals.add(option)
    return FileValues({n: v for n, v in values.items() if n not in rivals}, values.lines)


def _needs_of(values: Mapping[str, Any]) -> dict[str, Mapping[str, str]]:
    """What the components that values choose need, by the option that chooses them."""
    families = {family.option: family for family in FAMILIES.values() if family.option in values}
    return {option: family.find(values[option]).needs for option, family in families.items()}


def suiting(preset: Mapping[str, Any], inherited: Mapping[str, Any]) -> dict[str, Any]:
    """What a preset says of fine-tuning; UsageError if it is for another kind of model."""
    for family in PARTS.values():
        has = inherited[family.option]
        if is_architecture(family.option) and preset.get(family.option, has) != has:
            raise UsageError(
                f"`preset`: it is for `{family.option}` {preset[family.option]}, and the model in "
                f"`model_dir` has {has}; leave it away"
            )
    return {name: value for name, value in preset.items() if not is_architecture(name)}


def defaults_of_parts(chosen: Mapping[str, str], inherited: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of generator, critic and objective.

    In fine-tuning of what the run does not have; what the model consists of they cannot move.
    """
    values: dict[str, Any] = {}
    for kind, family in PARTS.items():
        name = chosen[kind]
        if inherited.get(family.option) != name:
            values |= family.find(name).defaults
    if not inherited:
        return values
    return {name: v for name, v in values.items() if not is_architecture(name)}


def is_architecture(name: str) -> bool:
    return SCHEMA.options[name].scope(name) == Scope.ARCHITECTURE
