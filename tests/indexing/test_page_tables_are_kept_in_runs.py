"""Rule: a stored table comes back as it was, and a change of one page stores one run of it anew."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.indexing import tables
from channeld.indexing.packs import PackName, Packs, PackWriter, PieceDamaged
from channeld.indexing.pagetable import Page, PageTable, Place
from channeld.indexing.tables import Tables
from tests.support.indexing import QuickDisk, flip_bit


def page(number: int, *, seed: str = "", pack: str = "1-1-1-aa") -> Page:
    raw = hashlib.sha256(f"raw {number} {seed}".encode()).digest()
    place = Place(pack, number * 100, 90, hashlib.sha256(raw).digest())
    return Page(f"key-{number:05d}", 256, 70_000 + number, raw, place, 9, number, number + 1)


def table(*sections: int, seed: str = "") -> PageTable:
    names = tuple(f"section {index}" for index in range(len(sections)))
    glue = tuple(b"glue %d" % index for index in range(len(sections) + 1))
    return PageTable(
        names, glue, tuple(tuple(page(n, seed=seed) for n in range(count)) for count in sections)
    )


def replaced(of: PageTable, at: int) -> PageTable:
    """Return a table with another page in its first section."""
    pages = list(of.sections[0])
    pages[at] = page(at, seed="changed", pack="1-2-1-bb")
    return PageTable(of.names, of.glue, (tuple(pages), *of.sections[1:]))


@pytest.fixture
def packs(tmp_path: Path) -> Packs:
    return Packs(tmp_path / "packs", QuickDisk())


def writer(packs: Packs, number: int = 1) -> PackWriter:
    return packs.writer(PackName(1, number, 1, "aa"))


@given(st.lists(st.integers(0, 300), max_size=4))
@settings(deadline=None, max_examples=30)
def test_a_table_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, sections: list[int]) -> None:
    packs = Packs(tmp_path_factory.mktemp("packs"), QuickDisk())
    pack, whole = writer(packs), table(*sections)
    place, stored = tables.store(whole, pack, None)
    pack.commit()
    assert tables.load(packs.read, place) == stored
    assert stored.table == whole


def test_a_changed_page_stores_its_run_and_the_root(packs: Packs) -> None:
    first, second = writer(packs, 1), writer(packs, 2)
    old = table(2000)
    _, stored = tables.store(old, first, None)
    new = replaced(old, 1000)
    place, again = tables.store(new, second, stored)
    assert second.size < first.size / 10
    assert sum(1 for places in again.runs for run in places if run.pack == second.name) <= 2
    first.commit()
    second.commit()
    assert tables.load(packs.read, place).table == new


def test_the_same_table_again_stores_the_root_alone(packs: Packs) -> None:
    first, second = writer(packs, 1), writer(packs, 2)
    _, stored = tables.store(table(500, 3), first, None)
    place, again = tables.store(table(500, 3), second, stored)
    assert again == stored
    assert second.size == place.size
    first.discard()
    second.discard()


def test_runs_are_neither_long_nor_many(packs: Packs) -> None:
    pack = writer(packs)
    _, stored = tables.store(table(4000), pack, None)
    pack.discard()
    assert 4000 / 256 <= sum(map(len, stored.runs)) <= 4000 / 32


def test_a_table_of_another_version_is_not_misread(packs: Packs) -> None:
    pack = writer(packs)
    place = pack.add(b"\x95\x63\x90\x91\x00\x90\x90")  # [99, [], [0], [], []]
    pack.commit()
    with pytest.raises(ValueError, match="version 99"):
        tables.load(packs.read, place)


def test_damage_of_a_run_or_of_the_root_is_found(packs: Packs) -> None:
    pack = writer(packs)
    place, stored = tables.store(table(100), pack, None)
    pack.commit()
    path = packs.folder / f"{pack.name}.pack"
    for piece in (place, stored.runs[0][0]):
        flip_bit(path, piece.start)
        with pytest.raises(PieceDamaged):
            tables.load(packs.read, place)
        flip_bit(path, piece.start)
    assert tables.load(packs.read, place) == stored


def test_tables_in_memory_are_bounded_by_their_pages(packs: Packs) -> None:
    pack = writer(packs)
    places = [tables.store(table(100, seed=str(number)), pack, None)[0] for number in range(10)]
    pack.commit()
    kept = Tables(packs, most_pages=250)
    found = [kept.get(place) for place in places]
    assert kept.get(places[-1]) is found[-1]
    assert kept.get(places[-2]) is found[-2]
    assert kept.get(places[0]) is not found[0]
    assert kept.get(places[0]) == found[0]


def test_one_table_is_kept_however_large_it_is(packs: Packs) -> None:
    pack = writer(packs)
    place, _ = tables.store(table(100), pack, None)
    pack.commit()
    kept = Tables(packs, most_pages=10)
    assert kept.get(place) is kept.get(place)
