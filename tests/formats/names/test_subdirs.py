"""Subdirs: CEP 26, "Subdir names"."""

from __future__ import annotations

import pytest

from channeld.formats.names import KNOWN_SUBDIRS, check_subdir
from channeld.formats.rejections import IdentifierTooLong, SubdirMalformed


@pytest.mark.parametrize("subdir", [*sorted(KNOWN_SUBDIRS), "ios-arm64", "a-b"])
def test_subdirs_pass_whether_conda_knows_them_or_not(subdir: str) -> None:
    assert check_subdir(subdir) == subdir


@pytest.mark.parametrize(
    "subdir", ["", "linux", "Linux-64", "linux-64/", "linux_64", "a-b-c", "linux-64\n", "..", "NOARCH", "é-1"]
)
def test_other_texts_are_no_subdirs(subdir: str) -> None:
    with pytest.raises(SubdirMalformed) as caught:
        check_subdir(subdir)
    assert "noarch" in caught.value.advice


def test_a_subdir_of_33_characters_is_too_long() -> None:
    with pytest.raises(IdentifierTooLong):
        check_subdir("linux-" + "6" * 27)
