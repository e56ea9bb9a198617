"""A shard that is edited comes out as the one that is written from all records, to the byte."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channeld.formats import shard
from channeld.formats.shard import ShardTooLarge, ShardUnreadable, edit_shard, encode_shard
from tests.support.records import filename, record, subdir_of

Sections = dict[str, dict[str, dict[str, Any]]]
#: What files there are, as file name → section; a file of either extension has two places.
FILES = [
    (f"alpha-{version}-0.{extension}", section)
    for version in ("1.0", "1.10", "1.2")
    for extension, sections in {
        "conda": ("packages.conda", "v3.conda"),
        "tar.bz2": ("packages", "v3.tar.bz2"),
    }.items()
    for section in sections
]
NAMES = sorted({name for name, _ in FILES})
RECORDS = st.builds(
    lambda size, url, exports: record("alpha", size=size, url=url, run_exports=exports, md5=None),
    st.integers(0, 2**40),
    st.sampled_from(["é", "\U0001f40d", None]),
    st.sampled_from([{}, {"weak": ["alpha"]}, {"strong": [], "noarch": ["z", "a"]}]),
)


@st.composite
def states(draw: st.DrawFn) -> dict[str, tuple[str, dict[str, Any]] | None]:
    """Say of some files where they stand and their record, or that they are removed."""
    found: dict[str, tuple[str, dict[str, Any]] | None] = {}
    for name in draw(st.sets(st.sampled_from(NAMES))):
        sections = [section for file, section in FILES if file == name]
        found[name] = draw(st.none() | st.tuples(st.sampled_from(sections), RECORDS))
    return found


def told(files: dict[str, tuple[str, dict[str, Any]] | None]) -> tuple[Sections, list[str]]:
    sections: Sections = {}
    for name, file in files.items():
        if file is not None:
            section, one = file
            key = name.removesuffix("." + section.removeprefix("v3.")) if section.startswith("v3") else name
            sections.setdefault(section, {})[key] = deepcopy(one)
    return sections, [name for name, file in files.items() if file is None]


@given(states(), states(), st.sets(st.sampled_from(NAMES)))
def test_it_says_what_all_records_say(
    before: dict[str, tuple[str, dict[str, Any]] | None],
    after: dict[str, tuple[str, dict[str, Any]] | None],
    forgotten: set[str],
) -> None:
    filenames = after.keys() | forgotten
    expected = {name: file for name, file in before.items() if name not in filenames} | after
    sections, removed = told(expected)
    edited = edit_shard(encode_shard(*told(before)), filenames, *told(after))
    assert edited == (encode_shard(sections, removed) if sections else None)


def test_a_shard_without_changes_stays_as_it_is() -> None:
    data = encode_shard(subdir_of(record("alpha"), record("alpha", "2.0")), ["alpha-0.1-0.conda"])
    assert edit_shard(data, (), {}) == data


def test_it_may_outgrow_what_clients_take(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_shard(subdir_of(record("alpha")))
    monkeypatch.setattr(shard, "SHARD_LIMIT", 500)
    newer = record("alpha", "2.0", description="x" * 200)
    with pytest.raises(ShardTooLarge):
        edit_shard(data, [filename(newer)], subdir_of(newer))


def test_what_is_no_shard_is_not_edited() -> None:
    with pytest.raises(ShardUnreadable):
        edit_shard(b"not zstd", ["alpha-1.0-0.conda"], {})
