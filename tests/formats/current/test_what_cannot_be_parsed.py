"""One record that makes no sense must not take the document of a whole subdir with it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rattler import Version

from channeld.formats.current import current_repodata
from channeld.formats.matching import Requirement
from tests.support.records import Record, filename, record, subdir_of


def kept(*records: Record) -> set[str]:
    return current_repodata({section: found.items() for section, found in subdir_of(*records).items()})


def test_a_version_that_cannot_be_parsed_is_passed_over() -> None:
    good, bad = record("alpha", "1.0"), record("alpha", "2.0!x")
    assert kept(good, bad, record("beta", "!")) == {filename(good)}


@pytest.mark.parametrize(
    "dependency",
    [
        "",
        "mkl@",
        "*",
        "lib 1.*.0",
        "lib >=",
        "lib <<2",
        "lib[",
        "lib (2)",
        "a b c d e",
        f"lib[build_number={10**30}]",
    ],
)
def test_a_dependency_that_cannot_be_parsed_is_passed_over(dependency: str) -> None:
    libs = [record("lib", "1.0"), record("lib", "2.0")]
    tool = record("tool", depends=[dependency, "lib <2"])
    assert kept(tool, *libs) == {filename(r) for r in (tool, *libs)}


@pytest.mark.parametrize("depends", [None, [], ...])
def test_a_record_without_dependencies_is_kept(depends: object) -> None:
    one = record("alpha", depends=depends)
    assert kept(one) == {filename(one)}


@given(st.text(alphabet="lib 0123.*^$[]()<>=!~|,\"'@#:/_-+\\ab{}?\x00é\n", max_size=24))
@settings(deadline=None, max_examples=400)
def test_no_text_makes_the_parser_of_dependencies_fail(text: str) -> None:
    requirement = Requirement.parse(text)
    if requirement is not None:
        requirement.accepts(Version("1.0"), "py_0")


def test_a_hostile_pattern_of_a_build_takes_no_time() -> None:
    build = "a" * 64
    assert not Requirement("lib", None, "^(a+)+b$").accepts(Version("1"), build)
    assert not Requirement("lib", None, "*a" * 30 + "b").accepts(Version("1"), build)
