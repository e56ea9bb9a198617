"""The shortcut for plain sources of recipes tells what YAML tells, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.formats.archive.facts import _plain_mapping
from channeld.formats.archive.plainyaml import load_plain_yaml

_VALUES = st.one_of(
    st.text("abz09AZ/.:-_%@+=~&? #'\"{}[]|>*!,", max_size=8),
    st.sampled_from(
        ["https://example.org/a-1.0.tar.gz", "null", "Null", "NULL", "~", "1.0", "a: b", "a #b", "yes"]
    ),
)
_LINES = st.tuples(
    st.sampled_from(["  ", "  ", "  ", "    ", ""]),
    st.sampled_from(["url", "sha256", "git_url", "null", "<<", "Url", "- url"]),
    st.sampled_from([": ", ": ", ":", ":  "]),
    _VALUES,
    st.sampled_from(["\n", "\n", "\r\n", " \n", "\n\n", ""]),
).map("".join)


@settings(deadline=None, max_examples=1000)
@given(st.lists(_LINES, max_size=4).map("".join))
def test_it_never_differs_from_yaml(lines: str) -> None:
    text = f"source:\n{lines}".encode()
    shortcut = _plain_mapping(text)
    if shortcut is not None:
        assert load_plain_yaml(text) == {"source": shortcut}


def test_a_usual_source_is_taken() -> None:
    text = b"source:\n  url: https://example.org/a-1.0.tar.gz\n  sha256: " + b"ab" * 32 + b"\n"
    assert _plain_mapping(text) == {"url": "https://example.org/a-1.0.tar.gz", "sha256": "ab" * 32}


@pytest.mark.parametrize(
    "text",
    [
        b"source:\n  url: a\n  url: b\n",
        b"source:\n  url: a\n    sha256: b\n",
        b"source:\n  url: a\n  patches:\n    - b\n",
        b"source:\n  url: null\n",
        b"source:\n  url: 'a'\n",
        b"source:\n",
        b"source:\n  url: a" + b"a" * 10_000 + b"\n",
    ],
)
def test_anything_else_is_left_to_yaml(text: bytes) -> None:
    assert _plain_mapping(text) is None
