"""A layout and its entries make one JSON document, entry by entry on lines of their own."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.formats.layout import SEPARATOR, Layout, canonical_json, entry

LAYOUT = Layout(("a", "b"), (b'{"a":{', b'},"b":[', b"]}\n"))


def test_a_document_is_glue_and_joined_entries() -> None:
    document = LAYOUT.assemble({"a": [entry("k", b"1"), entry("l", b"{}")], "b": [b'"x"', b'"y"']})
    assert document == b'{"a":{"k":1,\n"l":{}},"b":["x",\n"y"]}\n'
    pieces = [
        LAYOUT.glue[0],
        SEPARATOR.join([b'"k":1', b'"l":{}']),
        LAYOUT.glue[1],
        b'"x",\n"y"',
        LAYOUT.glue[2],
    ]
    assert document == b"".join(pieces)


def test_a_section_that_is_not_given_is_empty() -> None:
    assert LAYOUT.assemble({}) == b'{"a":{},"b":[]}\n'


def test_entries_may_come_one_by_one() -> None:
    assert LAYOUT.assemble({"b": (b"%d" % n for n in range(3))}) == b'{"a":{},"b":[0,\n1,\n2]}\n'


def test_entries_for_a_section_that_is_none_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="'c'"):
        LAYOUT.assemble({"c": []})


@pytest.mark.parametrize("glue", [(), (b"",), (b"", b"", b"", b"")])
def test_glue_that_does_not_fit_the_sections_is_a_mistake_of_the_caller(glue: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="2 sections"):
        Layout(("a", "b"), glue)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=6))
@settings(deadline=None)
def test_entries_of_any_keys_and_values_parse_to_the_same(records: dict[str, Any]) -> None:
    document = LAYOUT.assemble({"a": [entry(key, canonical_json(records[key])) for key in sorted(records)]})
    assert orjson.loads(document) == json.loads(document) == {"a": records, "b": []}
    assert document.count(b"\n") == max(len(records) - 1, 0) + 1


@given(JSON)
@settings(deadline=None)
def test_canonical_json_is_the_same_for_the_same_value(value: Any) -> None:
    text = canonical_json(value)
    assert text == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert canonical_json(orjson.loads(text)) == text
