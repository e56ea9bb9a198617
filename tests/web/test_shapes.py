"""Declared classes are read from JSON and query strings, and described as JSON Schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import MultiDict
from openapi_schema_validator import OAS31Validator

from channeld.web.rejections import BadField, FieldAbsent, FieldUnknown, FieldWrong
from channeld.web.shapes import Between, Length, object_of, read, read_query, shape_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A leaf."""

    colour: Annotated[Literal["green", "red"], "Its colour."] = "green"
    veins: Annotated[int | None, "How many veins.", Between(0, 9)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A tree."""

    name: Annotated[str, "Its name.", Length(5)]
    old: Annotated[bool, "Whether it is old."] = False
    leaf: Annotated[Leaf | None, "Its best leaf."] = None
    leaves: Annotated[tuple[Leaf, ...], "Its leaves."] = ()
    nicknames: Annotated[tuple[str, ...], "Other names.", Length(3)] = ()
    facts: Annotated[dict[str, Any], "What else is known."] = None  # type: ignore[assignment]


def test_a_value_is_read_with_everything_in_it() -> None:
    value = {
        "name": "oak",
        "old": True,
        "leaf": {"colour": "red", "veins": 9},
        "leaves": [{}, {"veins": None}],
        "nicknames": ["q"],
        "facts": {"height": [1, {"unit": "m"}]},
    }
    assert read(Tree, value) == Tree(
        name="oak",
        old=True,
        leaf=Leaf(colour="red", veins=9),
        leaves=(Leaf(), Leaf()),
        nicknames=("q",),
        facts={"height": [1, {"unit": "m"}]},
    )


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({}, FieldAbsent(("name",))),
        (
            {"name": "oak", "leaf": {"color": 1, "vein": 2}},
            FieldUnknown(("leaf.color", "leaf.vein"), ("leaf.colour", "leaf.veins")),
        ),
        ({"name": "maple!"}, FieldWrong("name", '"maple!"', "a text of at most 5 characters, without NUL")),
        ({"name": None}, FieldWrong("name", "null", "a text of at most 5 characters, without NUL")),
        ({"name": "oak", "old": 1}, FieldWrong("old", "1", "true or false")),
        ({"name": "oak", "leaves": [{}, 1]}, FieldWrong("leaves[1]", "1", "an object")),
        ({"name": "oak", "leaves": {}}, FieldWrong("leaves", "{}", "a list")),
        (
            {"name": "oak", "leaves": [{"veins": 10}]},
            FieldWrong("leaves[0].veins", "10", "a whole number from 0 to 9"),
        ),
        (
            {"name": "oak", "leaf": {"veins": True}},
            FieldWrong("leaf.veins", "true", "a whole number from 0 to 9"),
        ),
        (
            {"name": "oak", "leaf": {"colour": "blue"}},
            FieldWrong("leaf.colour", '"blue"', "one of 'green', 'red'"),
        ),
        ({"name": "oak", "facts": []}, FieldWrong("facts", "[]", "an object")),
        ([], FieldWrong("body", "[]", "an object")),
    ],
)
def test_what_is_wrong_is_said_with_its_place(value: object, problem: BadField) -> None:
    with pytest.raises(type(problem)) as raised:
        read(Tree, value)
    assert (str(raised.value), raised.value.detail()) == (str(problem), problem.detail())


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query."""

    text: Annotated[str, "A text."] = ""
    many: Annotated[tuple[str, ...], "Texts."] = ()
    flag: Annotated[bool | None, "A flag."] = None
    number: Annotated[int, "A number.", Between(-1, 5)] = 0


def test_parameters_are_read_by_what_they_are() -> None:
    query = MultiDict([("text", "1"), ("many", "true"), ("many", "2"), ("flag", "true"), ("number", "-1")])
    assert read_query(Query, query) == Query(text="1", many=("true", "2"), flag=True, number=-1)
    assert read_query(Query, MultiDict()) == Query()


@pytest.mark.parametrize(
    "query",
    [
        {"flag": "True"},
        {"flag": ""},
        {"number": "1.0"},
        {"number": "+1"},
        {"number": "\N{ARABIC-INDIC DIGIT ONE}"},
        {"number": "9" * 5000},
        {"number": "6"},
    ],
)
def test_parameters_that_are_not_what_they_should_be_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(FieldWrong):
        read_query(Query, MultiDict(query))


def test_a_parameter_is_given_once() -> None:
    with pytest.raises(FieldWrong):
        read_query(Query, MultiDict([("text", "a"), ("text", "b")]))


def test_the_schema_says_what_the_reader_does() -> None:
    definitions: dict[str, Any] = {}
    assert object_of(Leaf).schema(definitions) == {"$ref": "#/components/schemas/Leaf"}
    assert definitions == {
        "Leaf": {
            "type": "object",
            "description": "A leaf.",
            "properties": {
                "colour": {
                    "type": "string",
                    "enum": ["green", "red"],
                    "description": "Its colour.",
                    "default": "green",
                },
                "veins": {
                    "anyOf": [{"type": "integer", "minimum": 0, "maximum": 9}, {"type": "null"}],
                    "description": "How many veins.",
                },
            },
            "required": [],
        }
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-12, 12) | st.text(max_size=7),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "old", "leaf", "leaves", "colour", "veins", "x"]), inner)
    ),
    max_leaves=12,
)


@given(value=st.dictionaries(st.sampled_from(["name", "old", "leaf", "leaves", "nicknames", "facts"]), JSON))
@settings(deadline=None, max_examples=300)
def test_the_reader_takes_what_the_schema_takes(value: dict[str, Any]) -> None:
    definitions: dict[str, Any] = {}
    reference = object_of(Tree).schema(definitions)
    for schema in definitions.values():
        schema["additionalProperties"] = False
    schema = {**reference, "components": {"schemas": definitions}}
    try:
        read(Tree, value)
        taken = True
    except BadField:
        taken = False
    without_nul = "\\u0000" not in repr(value) and "\\x00" not in repr(value)
    assert taken == OAS31Validator(schema).is_valid(value) or not without_nul


def test_a_type_that_nobody_taught_it_is_a_mistake_of_the_programmer() -> None:
    with pytest.raises(TypeError):
        shape_of(set[str])
