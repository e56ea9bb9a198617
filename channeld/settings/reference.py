"""The settings as a list: for the loader, for ``channeld config`` and for the documentation."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from inspect import getdoc
from pathlib import Path
from typing import Any, Final, get_type_hints

from channeld.settings.keys import Kind, Rule, kind_of, rule_of
from channeld.settings.sections import Settings

ENVIRONMENT_PREFIX: Final = "CHANNELD_"


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """One key as the reference tells it. ``rule`` is None where every value of the kind will do."""

    section: str
    key: str
    variable: str
    kind: Kind
    rule: Rule | None
    default: Any
    text: str
    secret: bool

    @property
    def name(self) -> str:
        """Name the key within all settings: ``section.key``."""
        return f"{self.section}.{self.key}"


def sections() -> dict[str, str]:
    """Return what each section is about, in the order of the reference."""
    return {each.name: getdoc(each.default_factory) or "" for each in fields(Settings)}


def describe() -> list[SettingDoc]:
    """Return every key there is, in the order of the reference."""
    return [
        doc for section, kind in get_type_hints(Settings).items() for doc in _describe_section(section, kind)
    ]


def toml_value(value: int | str | Path | tuple[str, ...]) -> str:
    """Write a value as TOML. JSON's form of a string, a whole number or a list of strings is TOML too."""
    return json.dumps(str(value) if isinstance(value, Path) else value)


def _describe_section(section: str, section_class: type) -> list[SettingDoc]:
    hints = get_type_hints(section_class)
    return [
        SettingDoc(
            section=section,
            key=each.name,
            variable=f"{ENVIRONMENT_PREFIX}{section}__{each.name}".upper(),
            kind=kind_of(hints[each.name]),
            rule=rule_of(hints[each.name], each.metadata["rule"]),
            default=each.default,
            text=each.metadata["text"],
            secret=each.metadata["secret"],
        )
        for each in fields(section_class)
    ]
