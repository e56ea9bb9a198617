"""Every archive in the test data is read, with the record that conda-index makes of it, or refused by a known rule."""

from __future__ import annotations

import fnmatch
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from channeld.errors import Rejected
from channeld.formats.archive.facts import ABOUT_FIELDS, SOURCE_FIELDS, channel_facts
from channeld.formats.archive.inspection import Inspection, inspect_archive
from channeld.formats.names import FileName, Naming
from channeld.formats.record import ArtifactFacts, Record, make_record
from tests.support.conda_index import Indexed, index_with_conda_index

#: When the data was gathered and later, in milliseconds: every package in it was built before.
NOW: Final = 1_795_000_000_000

#: The archives that are refused under both policies, and the rule.
REFUSED: Final = {
    # Archives that are no packages, or not called like one.
    "*/archives/a.tar.bz2": "file_name_malformed",
    "*/archives/b.tar.bz2": "file_name_malformed",
    "*/archives/subfolder*.tar.bz2": "file_name_malformed",
    "*/libarchive/test.tar.bz2": "file_name_malformed",
    "*/pkg_with_unicode.*": "file_name_malformed",
    "*/unicode-files.tar.bz2": "file_name_malformed",
    "*/dummy-channel.tar.bz2": "file_name_malformed",
    "*/repodata.tar.bz2": "file_name_malformed",
    # Uncompressed tars under the name of a package.
    "fixtures/conda+conda-*/_history/11eac8a959/*": "stream_corrupt",
    "fixtures/conda+conda-*/_history/1e6d8779a7/*": "stream_corrupt",
    "fixtures/conda+conda-*/_history/99f04561bd/*": "stream_corrupt",
    "fixtures/conda+conda-*/_history/b302f1f5b0/*": "stream_corrupt",
    "fixtures/conda+conda-*/_history/d441ecd1cf/*": "stream_corrupt",
    # rattler's own tests of partial packages: without metadata.json, or renamed, or zipped by hand.
    "fixtures/conda+rattler/*/dotslash-test-1.0.0-0.conda": "part_missing",
    "fixtures/conda+rattler/*/info-only-1.0.0-0.conda": "part_missing",
    "fixtures/conda+rattler/*/sparse-test-1.0.0-0.conda": "part_missing",
    "fixtures/conda+rattler/*/symlink-test-1.0.0-0.conda": "part_missing",
    "fixtures/conda+rattler/*/zip64-test-1.0.0-0.conda": "part_missing",
    "fixtures/conda+rattler/*/zip64-extra-field-test.conda": "part_name_mismatch",
    "fixtures/conda+rattler/*/ca-certificates-2024.7.4-hbcca054_0.conda": "part_compressed",
    "*/test-package-0.1-0_copy.tar.bz2": "file_name_mismatch",
}
#: What is refused of new packages only.
REFUSED_STRICT: Final = {
    "*/flask-0.11.1-py_0.tar.bz2": "document_missing",
    "*/fly-2.5.2-0.tar.bz2": "document_missing",
    "*/nano-2.4.1-0.tar.bz2": "document_missing",
    "*/font-ttf-inconsolata-23.12.6-0.tar.bz2": "noarch_unknown",
}
#: Paths that begin with "./": conda-index does not find its index.json, clients do.
UNREAD_BY_CONDA_INDEX: Final = "fixtures/conda+conda/_history/*/virtualdep-package-*.tar.bz2"

#: Where the record differs from conda-index's, and why (the table in ``channeld.formats.record``).
DIFFERENCES: Final = {
    "*/nano-2.4.1-0.tar.bz2": {"subdir"},
    "*/font-ttf-inconsolata-23.12.6-0.tar.bz2": {"noarch"},
    "fixtures/mamba-org+mamba/micromamba/test-server/repo/noarch/test-package-0.1-0.tar.bz2": {"timestamp"},
    "*/osx-arm64/dummy-trampoline-path-0.1.0-h60d57d3_0.conda": {"timestamp"},
}
#: The whole recipe of these cannot be parsed; the part with the source can.
SOURCE_IN_A_BROKEN_RECIPE: Final = "*/flask-0.11.1-py_0.tar.bz2"


def archives(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.name.endswith((".conda", ".tar.bz2")) and path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def find(table: dict[str, Any], name: str, default: Any) -> Any:
    return next((value for pattern, value in table.items() if fnmatch.fnmatchcase(name, pattern)), default)


def read(name: str, data: bytes, policy: Naming) -> tuple[Inspection, Record]:
    filename = FileName.parse(name.rpartition("/")[2], policy)
    inspection = inspect_archive(io.BytesIO(data), filename, policy)
    facts = ArtifactFacts(
        filename, len(data), hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest()
    )
    return inspection, make_record(inspection.index, facts, policy, NOW)


@pytest.fixture(scope="module")
def packages(test_data: Path) -> dict[str, bytes]:
    found = {
        f"{top}/{name}": data
        for top in ("fixtures", "conformance")
        for name, data in archives(test_data / top)
    }
    assert len(found) == 566
    return found


@pytest.mark.parametrize("policy", Naming)
def test_each_is_read_or_refused_by_the_rule_in_the_table(packages: dict[str, bytes], policy: Naming) -> None:
    rules: Counter[str] = Counter()
    for name, data in packages.items():
        expected = find(REFUSED, name, "")
        if policy is Naming.STRICT:
            expected = expected or find(REFUSED_STRICT, name, "")
        try:
            read(name, data, policy)
            rule = ""
        except Rejected as rejection:
            rule = rejection.code
        assert (name, rule) == (name, expected)
        rules[rule] += 1
    assert rules[""] > 500


@pytest.fixture(scope="module")
def pairs(packages: dict[str, bytes]) -> dict[str, tuple[Inspection, Record, Indexed]]:
    found = {}
    for name, data in packages.items():
        if find(REFUSED, name, "") or fnmatch.fnmatchcase(name, UNREAD_BY_CONDA_INDEX):
            continue
        found[name] = (
            *read(name, data, Naming.LEGACY),
            index_with_conda_index(data, name.rpartition("/")[2]),
        )
    return found


def test_records_are_those_of_conda_index(pairs: dict[str, tuple[Inspection, Record, Indexed]]) -> None:
    for name, (_, record, theirs) in pairs.items():
        ours = json.loads(record.fields)
        expected = {"depends": [], **theirs.record}
        different = {key for key in ours.keys() | expected.keys() if ours.get(key) != expected.get(key)}
        assert (name, different) == (name, find(DIFFERENCES, name, set()))
        assert name.endswith(record.key)


def test_run_exports_are_those_of_conda_index(pairs: dict[str, tuple[Inspection, Record, Indexed]]) -> None:
    with_some = 0
    for name, (inspection, _, theirs) in pairs.items():
        assert (name, inspection.run_exports) == (name, theirs.channeldata_input()["run_exports"])
        with_some += bool(inspection.run_exports)
    assert with_some > 20


def test_facts_are_what_conda_index_makes_channeldata_of(
    pairs: dict[str, tuple[Inspection, Record, Indexed]],
) -> None:
    flags: Counter[str] = Counter()
    for name, (inspection, _, indexed) in pairs.items():
        facts, theirs = channel_facts(inspection.info), indexed.channeldata_input()
        assert (name, dict(facts.about)) == (
            name,
            {key: theirs[key] for key in ABOUT_FIELDS if theirs.get(key)},
        )
        if not fnmatch.fnmatchcase(name, SOURCE_IN_A_BROKEN_RECIPE):
            expected = {key: theirs[f"source_{key}"] for key in SOURCE_FIELDS if theirs.get(f"source_{key}")}
            assert (name, dict(facts.source)) == (name, expected)
        for flag in (
            "activate.d",
            "deactivate.d",
            "binary_prefix",
            "text_prefix",
            "post_link",
            "pre_link",
            "pre_unlink",
        ):
            assert (name, flag, getattr(facts, flag.replace(".", "_"))) == (name, flag, theirs[flag])
            flags[flag] += theirs[flag]
    assert {flag for flag, count in flags.items() if not count} == {"pre_link"}


def test_the_opposite_policy_changes_no_record_that_both_accept(packages: dict[str, bytes]) -> None:
    for name, data in packages.items():
        if not find(REFUSED, name, "") and not find(REFUSED_STRICT, name, ""):
            assert read(name, data, Naming.STRICT) == read(name, data, Naming.LEGACY)
