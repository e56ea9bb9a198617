"""Rule: the key of a copy request is a subdir and a file name, or is refused in conda-forge-webservices' words."""

from __future__ import annotations

import pytest

from channeld.formats.names import Extension, FileName
from channeld.promotion.distnames import DistName, malformed


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "noarch/blah-fa31b0-2020.04.13.15.54.07-py_0.conda",
            ("noarch", "blah-fa31b0", "2020.04.13.15.54.07", "py_0"),
        ),
        ("linux-64/numpy-2.0.0-py311h_0.tar.bz2", ("linux-64", "numpy", "2.0.0", "py311h_0")),
        ("osx-arm64/_x-1!2.0+cu12-h1_0.conda", ("osx-arm64", "_x", "1!2.0+cu12", "h1_0")),
        ("linux-64/R-1.0-0.conda", ("linux-64", "R", "1.0", "0")),
    ],
)
def test_it_is_divided_from_the_right(text: str, parts: tuple[str, str, str, str]) -> None:
    found = DistName.parse(text)
    assert found is not None
    assert (found.subdir, found.file.name, found.file.version, found.file.build) == parts
    assert str(found) == text


def test_it_is_a_value() -> None:
    assert DistName.parse("noarch/a-1-0.conda") == DistName(
        "noarch", FileName("a", "1", "0", Extension.CONDA)
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "a-1-0.conda",
        "noarch/a-1-0.zip",
        "noarch/a-1-0",
        "noarch/a-1.conda",
        "noarch/a.conda",
        "/a-1-0.conda",
        "noarch/",
        "noarch/noarch/a-1-0.conda",
        "noarch//a-1-0.conda",
        "noarch/x/a-1-0.conda",
        "../a-1-0.conda",
        "nowhere/a-1-0.conda",
        "noarch/../a-1-0.conda",
        "noarch/a b-1-0.conda",
        "noarch/a-1-0.conda\n",
        "noarch/__glibc-1-0.conda",
        "noarch/-1-0.conda",
    ],
)
def test_what_names_no_file_is_refused(text: str) -> None:
    assert DistName.parse(text) is None


def test_the_text_is_the_one_that_people_search_for() -> None:
    assert malformed("x") == (
        "output 'x' is not correctly formatted (it must be the fully qualified name w/ extension, "
        "`noarch/blah-fa31b0-2020.04.13.15.54.07-py_0.conda`)"
    )
