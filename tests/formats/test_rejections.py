"""Every rejection of the formats can be told to a person, a machine and another process."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pickle

import pytest

from channeld.formats.rejections import SHOWN_CHARACTERS, BadArchive, BadMetadata, BadName, shown

MODULES = (
    "channeld.formats.rejections",
    "channeld.formats.metadata_rejections",
    "channeld.formats.archive.rejections",
    "channeld.formats.archive.tar_rejections",
)
RULES = sorted(
    {
        value
        for name in MODULES
        for value in vars(importlib.import_module(name)).values()
        if isinstance(value, type)
        and issubclass(value, BadName | BadArchive | BadMetadata)
        and dataclasses.is_dataclass(value)
    },
    key=lambda rule: rule.__name__,
)


def make(rule: type[BadName | BadArchive | BadMetadata]) -> BadName | BadArchive | BadMetadata:
    fields: dict[str, dataclasses.Field[object]] = vars(rule)["__dataclass_fields__"]
    values = [7 if field.type == "int" else "something" for field in fields.values()]
    return rule(*values)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_it_says_what_is_wrong_and_what_to_do(rule: type[BadName]) -> None:
    rejection = make(rule)
    assert rejection.sentence().endswith(".")
    assert rejection.advice.endswith(".")
    assert str(rejection) == f"{rejection.sentence()} {rejection.advice}"
    json.dumps(rejection.detail())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_it_survives_the_way_out_of_a_worker_process(rule: type[BadName]) -> None:
    rejection = make(rule)
    copy = pickle.loads(pickle.dumps(rejection))
    assert type(copy) is rule
    assert copy.detail() == rejection.detail()


def test_codes_are_unique() -> None:
    codes = [make(rule).code for rule in RULES]
    assert len(codes) == len(set(codes))


def test_hostile_texts_are_shortened_and_escaped() -> None:
    assert shown("a" * 100) == "a" * SHOWN_CHARACTERS + "…"
    assert shown("a\0b\nc\udc80") == "a\\x00b\\nc\\udc80"
    assert shown("é") == "é"
    assert shown({"a": 1}) == "{'a': 1}"
