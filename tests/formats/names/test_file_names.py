"""File names and distribution strings: CEP 26."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.formats.names import Distribution, Extension, FileName, Naming
from channeld.formats.rejections import (
    BadName,
    BuildMalformed,
    DistributionMalformed,
    ExtensionUnknown,
    FileNameMalformed,
    IdentifierTooLong,
    PackageNameMalformed,
    PackageNameVirtual,
    SubdirMalformed,
    VersionMalformed,
)


def test_a_file_name_is_divided_from_the_right() -> None:
    parsed = FileName.parse("r-base-64-1.0-h0_1.conda")
    assert parsed == FileName("r-base-64", "1.0", "h0_1", Extension.CONDA)
    assert parsed.stem == "r-base-64-1.0-h0_1"
    assert str(parsed) == "r-base-64-1.0-h0_1.conda"


def test_both_formats_are_told_by_their_extension() -> None:
    assert FileName.parse("a-1-0.tar.bz2") == FileName("a", "1", "0", Extension.TAR_BZ2)
    assert FileName.parse("a-1-0.conda") == FileName("a", "1", "0", Extension.CONDA)


@pytest.mark.parametrize(
    "text", ["a-1-0", "a-1-0.whl", "a-1-0.tar.gz", "a-1-0.CONDA", "repodata.json", "", ".", "conda"]
)
def test_other_extensions_are_refused(text: str) -> None:
    with pytest.raises(ExtensionUnknown) as caught:
        FileName.parse(text)
    assert caught.value.detail() == {"filename": text}


@pytest.mark.parametrize("naming", Naming)
@pytest.mark.parametrize("text", ["a.conda", "a-1.conda", ".conda", "first.tar.bz2", "a_1_0.tar.bz2"])
def test_fewer_than_two_dashes_are_refused_always(text: str, naming: Naming) -> None:
    with pytest.raises(FileNameMalformed) as caught:
        FileName.parse(text, naming)
    assert caught.value.detail() == {"filename": text}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("A-1-0.conda", PackageNameMalformed),
        ("__a-1-0.conda", PackageNameVirtual),
        ("-1-0.conda", PackageNameMalformed),
        ("../a-1-0.conda", PackageNameMalformed),
        ("a-1.x..-0.conda", VersionMalformed),
        ("a--0.conda", VersionMalformed),
        ("a-1-.conda", BuildMalformed),
        ("a-1-0/x.conda", BuildMalformed),
        ("a-1-0\0.tar.bz2", BuildMalformed),
        ("x" * 206 + ".conda", IdentifierTooLong),
    ],
)
def test_each_part_keeps_its_own_rules(text: str, rule: type[BadName]) -> None:
    with pytest.raises(rule):
        FileName.parse(text)


@settings(deadline=None, max_examples=300)
@given(
    st.text(alphabet="aA0._-+!/\\\0 ", max_size=30).map(lambda stem: stem + ".conda") | st.text(max_size=20)
)
def test_whatever_is_parsed_is_written_back_the_same(text: str) -> None:
    for naming in Naming:
        try:
            parsed = FileName.parse(text, naming)
        except BadName:
            continue
        assert str(parsed) == text
        assert text.count("-") >= 2
        assert "/" not in text


def test_distributions_with_and_without_subdir() -> None:
    assert Distribution.parse("noarch/a-1-0") == Distribution("noarch", "a", "1", "0")
    assert Distribution.parse("a-b-1-0") == Distribution(None, "a-b", "1", "0")
    assert str(Distribution.parse("linux-64/a-1-0")) == "linux-64/a-1-0"
    assert str(Distribution.parse("a-1-0")) == "a-1-0"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a-1", DistributionMalformed),
        ("/a-1-0", SubdirMalformed),
        ("x/y/a-1-0", SubdirMalformed),
        ("", DistributionMalformed),
    ],
)
def test_texts_that_are_no_distributions(text: str, rule: type[BadName]) -> None:
    with pytest.raises(rule):
        Distribution.parse(text)
