"""The subdir of index.json decides where a record belongs."""

from __future__ import annotations

from typing import Any

import pytest

from channeld.formats.metadata_rejections import FieldMissing, FieldMistyped
from channeld.formats.names import Naming
from channeld.formats.rejections import SubdirMalformed
from tests.support.record_making import ABSENT, fields_with, record_with


@pytest.mark.parametrize("subdir", ["linux-64", "noarch", "ios-arm64"])
def test_it_is_in_the_record_and_beside_it(subdir: str) -> None:
    record = record_with(subdir=subdir, noarch=ABSENT)
    assert record.subdir == subdir
    assert fields_with(subdir=subdir)["subdir"] == subdir


@pytest.mark.parametrize("policy", Naming)
def test_noarch_python_in_the_subdir_of_a_platform_is_legal(policy: Naming) -> None:
    # CEP 20: packages for the stable ABI.
    fields = fields_with(policy, subdir="linux-64", noarch="python")
    assert (fields["subdir"], fields["noarch"]) == ("linux-64", "python")


@pytest.mark.parametrize("policy", Naming)
def test_noarch_without_a_type_is_left_so(policy: Naming) -> None:
    fields = fields_with(policy, noarch=ABSENT)
    assert fields["subdir"] == "noarch"
    assert "noarch" not in fields


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("subdir", ["", "Linux-64", "../x", "linux/64", "linux-64\n", "x" * 40])
def test_other_texts_are_refused(subdir: str, policy: Naming) -> None:
    from channeld.formats.rejections import BadName

    with pytest.raises(BadName):
        record_with(policy, subdir=subdir)
    assert issubclass(SubdirMalformed, BadName)


@pytest.mark.parametrize("policy", Naming)
def test_other_types_are_refused(policy: Naming) -> None:
    with pytest.raises(FieldMistyped):
        record_with(policy, subdir=64)


@pytest.mark.parametrize("value", [ABSENT, None])
def test_new_packages_need_one(value: Any) -> None:
    with pytest.raises(FieldMissing):
        record_with(subdir=value, platform="linux", arch="x86_64")


@pytest.mark.parametrize(
    ("platform", "arch", "subdir"),
    [
        ("linux", "x86_64", "linux-64"),
        ("osx", "x86_64", "osx-64"),
        ("win", "x86", "win-32"),
        (None, None, "noarch"),
    ],
)
def test_old_packages_have_a_platform_and_an_arch_instead(platform: Any, arch: Any, subdir: str) -> None:
    fields = fields_with(Naming.LEGACY, subdir=ABSENT, platform=platform, arch=arch)
    assert fields["subdir"] == subdir
    assert "platform" not in fields


@pytest.mark.parametrize(("platform", "arch"), [("linux", None), ("amiga", "m68k"), (["x"], "y"), ({}, {})])
def test_a_platform_that_says_nothing_is_refused(platform: Any, arch: Any) -> None:
    with pytest.raises(FieldMissing):
        record_with(Naming.LEGACY, subdir=ABSENT, platform=platform, arch=arch)
