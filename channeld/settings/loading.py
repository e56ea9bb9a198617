"""Settings out of a file and an environment, both given as arguments: importing reads neither.

The rules, in order: the file is readable, it is TOML, its sections and keys are known, each value is of its key's
kind and keeps its key's rule; then the same for the variables of the environment, in alphabetical order. The first
breach is raised.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

from channeld.settings.reference import ENVIRONMENT_PREFIX, SettingDoc, describe, sections
from channeld.settings.rejections import (
    SettingsFileMalformed,
    SettingsFileUnreadable,
    UnknownKey,
    UnknownSection,
    UnknownVariable,
    wrong_value,
)
from channeld.settings.sections import Settings

Values = dict[tuple[str, str], Any]


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the settings: defaults, then the file at ``path`` unless it is None, then ``environ``.

    Raises:
        BadSetting: the file or a variable is wrong; the variants are in ``channeld.settings.rejections``.
    """
    values: Values = {} if path is None else _from_file(path)
    values |= _from_environment(environ)
    return Settings(
        **{
            section: section_class(**{key: value for (of, key), value in values.items() if of == section})
            for section, section_class in get_type_hints(Settings).items()
        }
    )


def _from_file(path: Path) -> Values:
    document = _read_toml(path)
    docs = {(doc.section, doc.key): doc for doc in describe()}
    values: Values = {}
    for section, table in document.items():
        if not isinstance(table, dict) and section not in sections():
            raise UnknownKey(str(path), "", section, _nearest_key("", section, docs.values()))
        if section not in sections():
            raise UnknownSection(str(path), section, _nearest(section, sections()))
        if not isinstance(table, dict):
            raise wrong_value(section, _file(path), "a section with keys", table, secret=False)
        for key, raw in table.items():
            if (section, key) not in docs:
                raise UnknownKey(str(path), section, key, _nearest_key(section, key, docs.values()))
            doc = docs[section, key]
            values[section, key] = _checked(doc, doc.kind.from_toml(raw), raw, _file(path))
    return values


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise SettingsFileUnreadable(str(path), error.strerror or type(error).__name__) from error
    except UnicodeDecodeError as error:
        raise SettingsFileMalformed(str(path), f"byte {error.start} is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsFileMalformed(str(path), str(error)) from error


def _from_environment(environ: Mapping[str, str]) -> Values:
    docs = {doc.variable: doc for doc in describe()}
    values: Values = {}
    for variable, text in sorted(environ.items()):
        # One underscore is not enough to be a setting: Kubernetes gives every pod a CHANNELD_SERVER_PORT when
        # there is a service of the name channeld-server.
        if not variable.startswith(ENVIRONMENT_PREFIX) or "__" not in variable:
            continue
        if variable not in docs:
            raise UnknownVariable(variable, _nearest(variable, docs))
        doc = docs[variable]
        origin = f"the environment variable {variable}"
        values[doc.section, doc.key] = _checked(doc, doc.kind.from_text(text), text, origin)
    return values


def _checked(doc: SettingDoc, value: object, raw: object, origin: str) -> object:
    if value is None or (doc.rule and not doc.rule.holds(value)):
        must = doc.rule.must if doc.rule else doc.kind.words
        raise wrong_value(doc.name, origin, must, raw, secret=doc.secret)
    return value


def _nearest_key(section: str, key: str, docs: Iterable[SettingDoc]) -> str:
    """Find the key that was meant: the same name in another section, else the most similar ``section.key``."""
    known = list(docs)
    same = [doc.name for doc in known if doc.key == key]
    return same[0] if same else _nearest(f"{section}.{key}", [doc.name for doc in known])


def _nearest(word: str, known: Iterable[str]) -> str:
    return get_close_matches(word, list(known), n=1, cutoff=0)[0]


def _file(path: Path) -> str:
    return f"the settings file {str(path)!r}"
