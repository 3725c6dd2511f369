"""Whose options there are: those of a script, and those of the components that it can choose.

A `Schema` is one script's. Its core is a dataclass of options; every family adds the options of its
components (see `registry`), of which only the chosen ones' count. All are spoken of by their name
alone, which therefore is given once, unless components of a family share a class of options.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ConSinGAN.errors import UsageError
from ConSinGAN.options import PATHS, FileValues, Scope, add_flag, check_value, field_of, new_parser
from ConSinGAN.registry import Family

PARTS = "parts"  # the field of a core that holds the chosen components' options, by family


@dataclass(frozen=True)
class Owned:
    """One option: the class that declares it, and the components whose it is (none: the core)."""

    cls: type
    kind: str = ""
    owners: tuple[str, ...] = ()

    def scope(self, name: str) -> Scope:
        """Where the option belongs."""
        return field_of(self.cls, name).metadata["scope"]


class Schema:
    """The options of one script."""

    def __init__(self, core: type, families: Mapping[str, Family]) -> None:
        """core: a dataclass of options, with a field `parts`. families: by kind ("task", say)."""
        self.core, self.families = core, dict(families)

    @cached_property
    def options(self) -> dict[str, Owned]:
        """All options by name. Raises TypeError if a name is given twice.

        Components of one kind share an option if their classes inherit it from one that has it.
        """
        found = {f.name: Owned(self.core) for f in dataclasses.fields(self.core) if f.metadata}
        for kind, family in self.families.items():
            for component in family.components.values():
                cls = component.options()
                if cls is None:
                    continue
                for field in dataclasses.fields(cls):
                    before = found.get(field.name)
                    if before is not None and (
                        before.kind != kind or field_of(before.cls, field.name) is not field
                    ):
                        raise TypeError(f"two options are called {field.name!r}")
                    others = before.owners if before else ()
                    found[field.name] = Owned(cls, kind, (*others, component.name))
        return found

    def is_path(self, name: str) -> bool:
        """Whether an option names a file or a folder."""
        owned = self.options.get(name)
        return owned is not None and field_of(owned.cls, name).metadata["metavar"] in PATHS

    # Flags ------------------------------------------------------------------------------------

    def make_parser(
        self, description: str, special: Mapping[str, Mapping[str, Any]] | None = None
    ) -> argparse.ArgumentParser:
        """A parser with a flag for every option, grouped by owner; untyped flags are left out."""
        parser = new_parser(description)
        summaries = {
            family.option: {name: one.summary for name, one in family.components.items()}
            for family in self.families.values()
        }
        titles: dict[str, list[str]] = {}
        for name in self.options:
            titles.setdefault(self.title(name), []).append(name)
        for title in sorted(titles, key="device".__eq__):  # device last
            group = parser.add_argument_group(title)
            for name in titles[title]:
                add_flag(group, self.options[name].cls, name, special, summaries.get(name, {}))
        return parser

    def title(self, name: str) -> str:
        """The heading that the option stands below: its group, or whose it is."""
        owned = self.options[name]
        if not owned.owners:
            return field_of(self.core, name).metadata["group"]
        return f"{owned.kind} {', '.join(owned.owners)}"

    # Values -----------------------------------------------------------------------------------

    def check(self, values: Mapping[str, Any], source: str = "") -> dict[str, Any]:
        """Check names and values one by one; the checked values.

        source: the file that they are from, if any; what `parse_yaml` made knows the lines.
        Raises UsageError on an unknown name or a value out of its range.
        """
        checked = {}
        for name, value in values.items():
            where = _where(values, name, source)
            if name not in self.options:
                close = difflib.get_close_matches(str(name), self.options, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise UsageError(f"{where or 'configuration'}: unknown option {name!r}{hint}")
            try:
                checked[name] = check_value(self.options[name].cls, name, value)
            except UsageError as error:
                raise UsageError(f"{where}: {error.marked}" if where else error.marked) from None
        return checked

    def chosen(self, *layers: Mapping[str, Any]) -> dict[str, str]:
        """The component of every family that layers of values choose, the last one strongest."""
        names: dict[str, str] = {}
        for kind, family in self.families.items():
            default: Any = field_of(self.core, family.option).default
            values = [layer[family.option] for layer in layers if family.option in layer]
            names[kind] = values[-1] if values else default
        return names

    def needed(self, *layers: Mapping[str, Any], fixed: Mapping[str, str]) -> dict[str, str]:
        """What layers of values do not choose and chosen components need, by option.

        fixed: the options that must stay as they are, and what to say of them in an error. Raises
        UsageError if one of them would have to be another, or if two components disagree.
        """
        found: dict[str, str] = {}
        reasons: dict[str, str] = {}
        while wrong := self._unmet(self.chosen(*layers, found)):
            by, option, name, actual = wrong
            if option in found:
                raise UsageError(f"{by} needs `{option}` {name}, and {reasons[option]} needs "
                                 f"`{option}` {actual}; choose one of them")  # fmt: skip
            if option in fixed:
                raise UsageError(f"{by} needs `{option}` {name}, and {fixed[option]} `{option}` "
                                 f"{actual}; leave one of them away")  # fmt: skip
            found[option], reasons[option] = name, by
        return found

    def _unmet(self, chosen: Mapping[str, str]) -> tuple[str, str, str, str] | None:
        """Which component, in words, needs which option to be what, and what that is."""
        actual = {family.option: chosen[kind] for kind, family in self.families.items()}
        for by, option, name in self.needs(chosen):
            if actual[option] != name:
                return by, option, name, actual[option]
        return None

    def needs(self, chosen: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
        """Which chosen component, in words, needs which option to be what."""
        for kind, family in self.families.items():
            component = family.find(chosen[kind])
            for option, name in component.needs.items():
                yield f"`{family.option}` {component.name}", option, name

    def check_owners(
        self, values: Mapping[str, Any], chosen: Mapping[str, str | None], source: str = ""
    ) -> None:
        """Raise UsageError if there is a value for a component that is not chosen."""
        for name in values:
            owned = self.options.get(name)
            if owned is None or not owned.owners or chosen[owned.kind] in owned.owners:
                continue
            flag, actual = self.families[owned.kind].option, chosen[owned.kind]
            where = _where(values, name, source)
            raise UsageError(
                f"{f'{where}: ' if where else ''}`{name}` is an option of `{flag}` "
                f"{' and '.join(owned.owners)}, and this is `{flag}` {actual}; leave it away"
            )

    def build(self, *layers: Mapping[str, Any], typed: Mapping[str, Any] | None = None) -> Any:
        """Make the checked core from layers of values, the last one strongest.

        typed: the strongest layer, which must not hold options of components that are not chosen;
        in the others these are left out. Raises UsageError.
        """
        checked = [self.check(layer) for layer in (*layers, typed or {})]
        chosen = self.chosen(*checked)
        self.check_owners(checked[-1], chosen)
        values = {name: value for layer in checked for name, value in layer.items()}
        core = {name: v for name, v in values.items() if not self.options[name].owners}
        parts = {}
        for kind, cls in self._chosen_classes(chosen):
            fields = [field.name for field in dataclasses.fields(cls)]
            parts[kind] = cls(**{name: values[name] for name in fields if name in values})
        return self.core(**core, **({PARTS: parts} if self.families else {}))

    def default_parts(self, chosen: Mapping[str, str]) -> dict[str, Any]:
        """The chosen components' options with their defaults."""
        return {kind: cls() for kind, cls in self._chosen_classes(chosen)}

    def _chosen_classes(self, chosen: Mapping[str, str]) -> Iterator[tuple[str, type]]:
        for kind, family in self.families.items():
            cls = family.find(chosen[kind]).options() if chosen[kind] else None
            if cls is not None:
                yield kind, cls

    def flat(self, config: Any) -> dict[str, Any]:
        """All values of a core and its components' options, by name."""
        objects = (config, *getattr(config, PARTS).values())
        fields = [(part, field.name) for part in objects for field in dataclasses.fields(part)]
        return {name: getattr(part, name) for part, name in fields if name != PARTS}

    # Sections ---------------------------------------------------------------------------------

    def sections(self, config: Any) -> dict[str, dict[str, Any]]:
        """All values in sections: the core's groups, and one of every family.

        A family's section names the component, too.
        """
        sections: dict[str, dict[str, Any]] = {}
        chooses = {family.option: kind for kind, family in self.families.items()}
        by_group = sorted(
            dataclasses.fields(config), key=lambda f: f.metadata.get("group") == "device"
        )
        for field in by_group:  # device last
            if field.name in chooses:
                sections[chooses[field.name]] = {"name": getattr(config, field.name)}
            elif field.metadata:
                group = sections.setdefault(field.metadata["group"], {})
                group[field.name] = getattr(config, field.name)
        for kind, part in getattr(config, PARTS).items():
            sections[kind] |= dataclasses.asdict(part)
        return sections

    def from_sections(self, values: FileValues, source: str) -> FileValues:
        """Values by name, of a file that may have sections, which may be as in `sections`.

        Raises UsageError, naming the line, for a section that there is not, and for an option in
        the wrong one or given twice.
        """
        flat: dict[str, Any] = {}
        lines: dict[Any, int] = {}
        metadata = (field.metadata for field in dataclasses.fields(self.core))
        groups = {m["group"] for m in metadata if m} | set(self.families)
        for key, value in values.items():
            inner = values.inner.get(key)
            if key in groups and key not in self.options and not isinstance(value, dict):
                if value is None:  # all that was in it is commented out, say
                    continue
                where = _where(values, key, source)
                raise UsageError(f"{where}: {key!r} is a section: its options stand below it, "
                                 "moved in")  # fmt: skip
            if not isinstance(value, dict) or inner is None:
                entries = {key: (value, values.lines.get(key))}
            elif key not in groups:
                where = _where(values, key, source)
                raise UsageError(f"{where}: there is no section {key!r}; sections are "
                                 f"{', '.join(sorted(groups))}")  # fmt: skip
            else:
                entries = {self._name_in(key, n): (v, inner.get(n)) for n, v in value.items()}
            for name, (one, line) in entries.items():
                where = f"{source}, line {line}" if line else source
                if name in flat:
                    raise UsageError(f"{where}: {name!r} is there twice")
                if isinstance(value, dict) and name in self.options:
                    self._check_section(key, name, where)
                flat[name] = one
                if line is not None:
                    lines[name] = line
        return FileValues(flat, lines)

    def _name_in(self, section: str, name: str) -> str:
        return (
            self.families[section].option if name == "name" and section in self.families else name
        )

    def _check_section(self, section: str, name: str, where: str) -> None:
        owned = self.options[name]
        chooses = {family.option: kind for kind, family in self.families.items()}
        group = owned.kind or chooses.get(name) or self.title(name)
        if group != section:
            raise UsageError(f"{where}: {name!r} belongs into the section {group!r}")


def _where(values: Mapping[str, Any], name: str, source: str) -> str:
    line = values.lines.get(name) if isinstance(values, FileValues) else None
    return f"{source}, line {line}" if source and line else source
