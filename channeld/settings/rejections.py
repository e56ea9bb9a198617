"""What can be wrong with the settings: one variant for each way.

A secret value is never repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from channeld.errors import Rejected

HIDDEN: Final = "(hidden)"
_SHOWN_CHARACTERS: Final = 60  # how much of a wrong value is repeated to the operator


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


class BadSetting(Rejected):
    """The settings file or the environment says something that channeld cannot follow."""

    advice: ClassVar[str] = "Correct it or take it out; `channeld config docs` describes every key."


@dataclass(eq=False)
class SettingsFileUnreadable(BadSetting):
    path: str
    reason: str

    advice: ClassVar[str] = "Give the path of a readable TOML file, or none to run on the defaults."

    def sentence(self) -> str:
        return f"The settings file {self.path!r} cannot be read: {self.reason}."


@dataclass(eq=False)
class SettingsFileMalformed(BadSetting):
    path: str
    reason: str

    advice: ClassVar[str] = "Correct the file there; https://toml.io/en/v1.0.0 describes its syntax."

    def sentence(self) -> str:
        return f"The settings file {self.path!r} is not TOML: {self.reason}."


@dataclass(eq=False)
class UnknownSection(BadSetting):
    path: str
    section: str
    nearest: str

    def sentence(self) -> str:
        return (
            f"There is no section {_shown(self.section)}, which the settings file {self.path!r} has; "
            f"the nearest known section is [{self.nearest}]."
        )


@dataclass(eq=False)
class UnknownKey(BadSetting):
    """``section`` is empty for a key that stands above the first section."""

    path: str
    section: str
    key: str
    nearest: str

    def sentence(self) -> str:
        where = f"in section [{self.section}]" if self.section else "outside of the sections"
        return (
            f"There is no key {_shown(self.key)} {where}, where the settings file {self.path!r} sets it; "
            f"the nearest known key is {self.nearest}."
        )


@dataclass(eq=False)
class UnknownVariable(BadSetting):
    variable: str
    nearest: str

    def sentence(self) -> str:
        return (
            f"The environment variable {self.variable} names no setting; "
            f"the nearest variable that does is {self.nearest}."
        )


@dataclass(eq=False)
class WrongValue(BadSetting):
    """A value of the wrong type, or one that breaks the rule of its key.

    ``origin`` says where the value comes from: which file, or which variable of the environment.
    """

    setting: str
    origin: str
    must: str
    found: str

    def sentence(self) -> str:
        return f"The setting {self.setting} must be {self.must}, but {self.origin} sets it to {self.found}."


def wrong_value(setting: str, origin: str, must: str, value: object, *, secret: bool) -> WrongValue:
    """Describe a wrong value without telling a secret one."""
    return WrongValue(setting, origin, must, HIDDEN if secret else _shown(value))
