"""What each name says by itself can be kept, and the document put together from it."""

from __future__ import annotations

import random

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.formats.current import Current, Group, current_repodata, group_by_name, select
from tests.support.records import Sections, random_subdir, record, subdir_of

PINS = st.dictionaries(
    st.sampled_from(["alpha", "beta"]), st.lists(st.sampled_from(["1", "1.0", "2"]), max_size=2)
)


@given(random_subdir(), PINS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_records_does_not_matter(
    sections: Sections, pins: dict[str, list[str]], chance: random.Random
) -> None:
    def shuffled(section: str) -> list[tuple[str, dict[str, object]]]:
        items = list(sections[section].items())
        chance.shuffle(items)
        return items

    in_order = {section: records.items() for section, records in sections.items()}
    assert current_repodata({s: shuffled(s) for s in sections}, pins) == current_repodata(in_order, pins)


@given(random_subdir())
@settings(deadline=None)
def test_a_document_keeps_every_name_and_nothing_that_is_not_there(sections: Sections) -> None:
    everything = {key: one for records in sections.values() for key, one in records.items()}
    kept = current_repodata({section: records.items() for section, records in sections.items()})
    assert kept <= everything.keys()
    assert {everything[key]["name"] for key in kept} == {one["name"] for one in everything.values()}


def test_only_the_names_that_a_dependency_asks_an_older_version_of_are_looked_at_again() -> None:
    sections = subdir_of(
        record("tool", depends=["lib <2", "base >=1", "zlib"]),
        record("lib", "1.0"),
        record("lib", "2.0"),
        record("base", "1.0"),
        record("base", "2.0"),
        record("zlib", "1.0"),
    )
    groups = group_by_name({section: records.items() for section, records in sections.items()})
    asked: list[str] = []

    def group(name: str) -> Group:
        asked.append(name)
        return groups[name]

    kept = select({name: one.current() for name, one in groups.items()}, group)
    assert asked == ["lib"]
    assert kept == {
        "tool-1.0-0.conda",
        "lib-1.0-0.conda",
        "lib-2.0-0.conda",
        "base-2.0-0.conda",
        "zlib-1.0-0.conda",
    }


def test_what_a_name_says_survives_being_written_down() -> None:
    sections = subdir_of(record("tool", "1.0", depends=["lib <2"], features="x"), record("tool", "0.9"))
    current = group_by_name({section: records.items() for section, records in sections.items()})[
        "tool"
    ].current()
    assert current == Current(("tool-1.0-0.conda",), (("1.0", "0"),), ("lib <2",), True, "tool-0.9-0.conda")
    assert orjson.loads(orjson.dumps(current)) == {
        "builds": [["1.0", "0"]],
        "depends": ["lib <2"],
        "featured": True,
        "files": ["tool-1.0-0.conda"],
        "plain": "tool-0.9-0.conda",
    }
