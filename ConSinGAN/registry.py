"""What can be chosen by name: modes, tasks, generators, critics, objectives and presets.

A component is a class with a literal `name`, in a file of its family's folder; a file dropped there
is found without being listed. Names and summaries are read from the files' text, so that they are
known without torch being imported. So are `defaults`, values of other options that suit it better
than theirs, literal in the class itself. What flags a component brings stands in the class
`Options` of `<file>_options.py` beside it (see `options`), which must not import torch either.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ConSinGAN.errors import UsageError

FOLDER = Path(__file__).parent
OPTIONS = "_options"  # ends the name of a file that holds a component's options


@dataclass(frozen=True)
class Component:
    """One entry of a family, as its file's text tells."""

    name: str
    summary: str  # one line for --help
    module: str
    class_name: str
    defaults: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    def load(self) -> Any:
        """The class itself; imports its module."""
        return getattr(importlib.import_module(self.module), self.class_name)

    def options(self) -> type | None:
        """The dataclass of the flags that the component brings, if it brings any."""
        path = FOLDER / f"{self.module.partition('.')[2].replace('.', '/')}{OPTIONS}.py"
        if not path.is_file():
            return None
        return importlib.import_module(f"{self.module}{OPTIONS}").Options


class Family:
    """The components of one kind, which one option chooses from."""

    def __init__(self, folder: str, option: str, default: str | None = None) -> None:
        """folder: below the package; default: comes first in lists."""
        self.folder, self.option, self.default = folder, option, default

    @cached_property
    def components(self) -> dict[str, Component]:
        """All of them by name, the default first, then in the order of names.

        Raises TypeError if two have one name.
        """
        found: dict[str, Component] = {}
        for path in sorted((FOLDER / self.folder).glob("*.py")):
            module = f"{__package__}.{self.folder}.{path.stem}"
            for component in _components(module, ast.parse(path.read_text(encoding="utf-8"))):
                if component.name in found:
                    raise TypeError(f"two {self.folder} are called {component.name!r}")
                found[component.name] = component
        order = sorted(found, key=lambda name: (name != self.default, name))
        return {name: found[name] for name in order}

    def names(self) -> tuple[str, ...]:
        """The names of all components."""
        return tuple(self.components)

    def find(self, name: str) -> Component:
        """The component of that name. Raises UsageError if there is none."""
        if name not in self.names():  # which asks nothing of the value
            raise UsageError(f"`{self.option}` must be one of {', '.join(self.names())}; "
                             f"not {name!r}")  # fmt: skip
        return self.components[name]

    def load(self, name: str) -> Any:
        """The class of that name. Raises UsageError if there is none."""
        return self.find(name).load()


def _components(module: str, text: ast.Module) -> list[Component]:
    """The classes of a file that have a literal name."""
    components = []
    for node in text.body:
        if isinstance(node, ast.ClassDef):
            values = _literals(node)
            if values.get("name"):
                summary, defaults = values.get("summary", ""), values.get("defaults", {})
                components.append(
                    Component(values["name"], summary, module, node.name, defaults=defaults)
                )
    return components


def _literals(node: ast.ClassDef) -> dict[str, Any]:
    """The literal texts and dictionaries that a class body assigns to names."""
    values: dict[str, Any] = {}
    for line in node.body:
        targets = line.targets if isinstance(line, ast.Assign) else []
        targets = [line.target] if isinstance(line, ast.AnnAssign) else targets
        try:
            value = ast.literal_eval(getattr(line, "value", None) or "0")
        except ValueError:  # made of names
            continue
        if isinstance(value, (str, dict)):
            values |= {t.id: value for t in targets if isinstance(t, ast.Name)}
    return values


MODES = Family("modes", "train_mode", "generation")
TASKS = Family("tasks", "task", "samples")
GENERATORS = Family("generators", "generator", "consingan")
CRITICS = Family("critics", "critic", "patch")
OBJECTIVES = Family("objectives", "objective", "wgan-gp")
METHODS = Family("methods", "method", "adversarial")  # modes choose them
SOURCES = Family("sources", "source", "single")
PRESETS = Family("presets", "preset")
