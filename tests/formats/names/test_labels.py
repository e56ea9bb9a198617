"""Labels: CEP 26, "Label names"."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.formats.names import check_label
from channeld.formats.rejections import (
    BadName,
    IdentifierTooLong,
    LabelEndsInSubdir,
    LabelMalformed,
    LabelReserved,
)


@pytest.mark.parametrize(
    "label",
    [
        "main",
        "broken",
        "dev",
        "Rc_1",
        "a/b/c",
        "v1.0",
        "a.b",
        "cf-staging",
        "noarch/x",
        "linux-64/dev",
        "x" * 128,
    ],
)
def test_labels_may_have_slashes_dots_and_capitals(label: str) -> None:
    assert check_label(label) == label


@pytest.mark.parametrize(
    "label",
    [
        "",
        "1a",
        "_a",
        "-a",
        ".a",
        "/a",
        "a/",
        "a//b",
        "a/../b",
        "a/./b",
        "a/..",
        "a/.",
        "a b",
        "a\n",
        "a%2fb",
        "a\\b",
        "é",
        "a\0",
    ],
)
def test_other_texts_are_no_labels(label: str) -> None:
    with pytest.raises(LabelMalformed):
        check_label(label)


@pytest.mark.parametrize("label", ["noarch", "linux-64", "a/b/osx-arm64", "a/noarch"])
def test_a_label_must_not_end_in_a_subdir(label: str) -> None:
    with pytest.raises(LabelEndsInSubdir) as caught:
        check_label(label)
    assert caught.value.detail() == {"label": label, "subdir": label.rsplit("/", 1)[-1]}


def test_nolabel_is_reserved() -> None:
    with pytest.raises(LabelReserved):
        check_label("nolabel")
    assert check_label("nolabel/x") == "nolabel/x"


def test_a_label_of_129_characters_is_too_long() -> None:
    with pytest.raises(IdentifierTooLong):
        check_label("x" * 129)


@settings(deadline=None)
@given(st.text(alphabet="aA1._-/ ", max_size=20))
def test_no_label_leads_out_of_its_place(label: str) -> None:
    try:
        check_label(label)
    except BadName:
        return
    assert not {"", ".", ".."} & set(label.split("/"))
