"""Rule: a frame made from its predecessor's ranges is byte by byte the one that is made from the packs alone."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.blobs.durable import Disk
from channeld.formats.zstdframe import check_frame
from channeld.indexing import tables
from channeld.indexing.assembly import Assembly, FrameWrong
from channeld.indexing.generation import Paged
from channeld.indexing.packs import PackName, Packs, PieceDamaged
from channeld.indexing.pagetable import PageTable, Place, measure
from channeld.indexing.paging import Draft, Edits, PageSize, edit
from channeld.indexing.pieceranges import compressed, plain
from channeld.indexing.press import Press, settle
from channeld.indexing.tables import Tables
from tests.support.indexing import QuickDisk, damage_first_page
from tests.support.pagemodel import CHANGES, entries_of

SIZE = PageSize(4, 400)
GLUES = st.sampled_from([b"{aa", b"{bb", b"{longer than those", b""])


class Workshop:
    """Makes documents out of changes, one after the other, each stored in a pack of its own."""

    def __init__(self, folder: Path) -> None:
        self.packs = Packs(folder / "packs", QuickDisk())
        self.tables = Tables(self.packs)
        self.threads = ThreadPoolExecutor(2)
        self.folder = folder
        self._number = 0
        self._table = PageTable(("one", "two"), (b"", b"", b""), ((), ()))

    def assembly(self, name: str, disk: Disk | None = None) -> Assembly:
        return Assembly(self.folder / name, self.packs, self.tables, disk or QuickDisk())

    def document(
        self, changes: Mapping[str, Mapping[str, str | None]], glue: tuple[bytes, bytes, bytes]
    ) -> Paged:
        """Apply changes to the two sections of the last document, and put other text around them."""
        self._number += 1
        pack = self.packs.writer(PackName(1, self._number, 1, "aa"))
        press = Press(self.packs, pack, self.threads)
        edits = Edits(press.load, SIZE)
        edited = [
            [
                press.put(item, 3) if isinstance(item, Draft) else item
                for item in edit(self._table.section(name), entries_of(changes.get(name, {})), edits)
            ]
            for name in self._table.names
        ]
        press.flush()
        self._table = PageTable(self._table.names, glue, tuple(settle(items) for items in edited))
        place, stored = tables.store(self._table, pack, None)
        pack.commit()
        self.tables.keep(place, stored)
        found = measure(self._table)
        return Paged(place, found.raw_size, found.zst_size, found.raw_digest, found.zst_digest, 0)


@contextmanager
def workshop_in(folder: Path) -> Iterator[Workshop]:
    made = Workshop(folder)
    try:
        yield made
    finally:
        made.threads.shutdown()
        made.packs.close()


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop_in(tmp_path) as made:
        yield made


STEPS = st.lists(st.tuples(CHANGES, CHANGES, GLUES, GLUES, GLUES), min_size=2, max_size=5)


@given(STEPS)
@settings(deadline=None, max_examples=60)
def test_ranges_of_the_predecessor_come_to_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[dict[str, str | None], dict[str, str | None], bytes, bytes, bytes]],
) -> None:
    with workshop_in(tmp_path_factory.mktemp("shop")) as workshop:
        ranged, alone = workshop.assembly("ranged"), workshop.assembly("alone")
        previous = None
        for one, two, *glue in steps:
            document = workshop.document({"one": one, "two": two}, (glue[0], glue[1], glue[2]))
            frame = ranged.ensure(document, previous).read_bytes()
            assert frame == alone.ensure(document).read_bytes()
            assert len(frame) == document.zst_size
            check_frame(frame, document.raw_size)
            previous = document


@given(CHANGES, st.data())
@settings(deadline=None, max_examples=60)
def test_ranges_of_the_plain_form_and_of_the_frame_are_made_without_a_file(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, str | None], data: st.DataObject
) -> None:
    with workshop_in(tmp_path_factory.mktemp("shop")) as workshop:
        document = workshop.document({"one": changes, "two": changes}, (b"{", b"|", b"}"))
        table = workshop.tables.get(document.table)
        with workshop.assembly("frames").open(document) as file:
            frame = file.read()
        text = zstandard.ZstdDecompressor().decompress(frame)
        for whole, ranges in ((text, plain), (frame, compressed)):
            start = data.draw(st.integers(0, len(whole)))
            stop = data.draw(st.integers(start, len(whole) + 5))
            assert b"".join(ranges(workshop.packs, table, 0, len(whole))) == whole
            assert b"".join(ranges(workshop.packs, table, start, stop)) == whole[start:stop]


SOME = {"one": {f"k{number:02d}": "x" * number for number in range(40)}}
GLUE = (b"{", b"|", b"}")


def test_unchanged_pages_are_not_read_from_the_packs(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assembly = workshop.assembly("frames")
    first = workshop.document(SOME, GLUE)
    assembly.ensure(first)
    second = workshop.document({"one": {"k20": "changed"}}, GLUE)
    reads: list[Place] = []
    read = workshop.packs.read

    def counted(place: Place) -> bytes:
        reads.append(place)
        return read(place)

    monkeypatch.setattr(workshop.packs, "read", counted)
    assembly.ensure(second, first)
    assert len(reads) == 1


def test_a_predecessor_that_is_gone_or_cut_short_is_done_without(workshop: Workshop) -> None:
    assembly = workshop.assembly("frames")
    first = workshop.document(SOME, GLUE)
    second = workshop.document({"one": {"k20": "changed"}}, GLUE)
    expected = workshop.assembly("alone").ensure(second).read_bytes()
    assert assembly.ensure(second, first).read_bytes() == expected
    assembly.path(second).unlink()
    path = assembly.ensure(first)
    path.write_bytes(path.read_bytes()[:-5])
    assert assembly.ensure(second, first).read_bytes() == expected


def test_a_frame_of_the_wrong_size_is_made_anew(workshop: Workshop) -> None:
    assembly = workshop.assembly("frames")
    document = workshop.document(SOME, GLUE)
    expected = assembly.ensure(document).read_bytes()
    assembly.path(document).write_bytes(b"half")
    assert assembly.ensure(document).read_bytes() == expected


@pytest.mark.parametrize("refusal", [errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_that_cannot_copy_ranges_is_helped(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    assembly = workshop.assembly("frames")
    first = workshop.document(SOME, GLUE)
    assembly.ensure(first)
    second = workshop.document({"one": {"k20": "changed"}}, GLUE)

    def refuse(*_: object, **__: object) -> int:
        raise OSError(refusal, "no")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    expected = workshop.assembly("alone").ensure(second).read_bytes()
    assert assembly.ensure(second, first).read_bytes() == expected


def test_a_damaged_page_never_gets_into_a_frame(workshop: Workshop) -> None:
    assembly = workshop.assembly("frames")
    document = workshop.document(SOME, GLUE)
    damage_first_page(workshop.packs, workshop.tables, document)
    with pytest.raises(PieceDamaged):
        assembly.ensure(document)
    assert list(assembly.folder.iterdir()) == []


def test_an_open_frame_is_read_on_after_it_was_dropped_and_asking_again_makes_it_again(
    workshop: Workshop,
) -> None:
    assembly = workshop.assembly("frames")
    document = workshop.document(SOME, GLUE)
    with assembly.open(document) as file:
        assembly.drop({"repodata.json": document})
        assert not assembly.path(document).exists()
        first = file.read()
    with assembly.open(document) as file:
        assert file.read() == first


def test_many_who_ask_at_once_get_the_same_frame(workshop: Workshop) -> None:
    assembly = workshop.assembly("frames")
    document = workshop.document(SOME, GLUE)

    def read(number: int) -> bytes:
        if number % 3 == 0:
            assembly.drop({"repodata.json": document})
        with assembly.open(document) as file:
            return file.read()

    with ThreadPoolExecutor(8) as threads:
        frames = set(threads.map(read, range(60)))
    assert len(frames) == 1
    assert [path for path in assembly.folder.iterdir() if path.suffix != ".zst"] == []


def test_frames_of_the_last_two_generations_stay(workshop: Workshop) -> None:
    assembly = workshop.assembly("frames")
    documents = [workshop.document({"one": {f"k{number}": "x"}}, GLUE) for number in range(4)]
    for number, document in enumerate(documents):
        assembly.ensure(document)
        before = {"a": documents[number - 1]} if number else {}
        assembly.published("view", {"a": document}, before)
    assert [assembly.path(document).exists() for document in documents] == [False, False, True, True]


def test_a_frame_that_another_view_has_too_stays(workshop: Workshop) -> None:
    assembly = workshop.assembly("frames")
    shared, one, two, three = (workshop.document({"one": {f"k{n}": "x"}}, GLUE) for n in range(4))
    for document in (shared, one, two, three):
        assembly.ensure(document)
    assembly.published("other", {"a": shared}, {})
    assembly.published("view", {"a": shared}, {})
    assembly.published("view", {"a": one}, {"a": shared})
    assembly.published("view", {"a": two}, {"a": one})
    assembly.published("view", {"a": three}, {"a": two})
    assert assembly.path(shared).exists()
    assert not assembly.path(one).exists()


def test_frames_that_were_made_before_the_machine_started_are_not_trusted(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = workshop.assembly("frames")
    document = workshop.document(SOME, GLUE)
    old.ensure(document)
    monkeypatch.setattr("channeld.indexing.assembly.start_of_machine", lambda: "later")
    new = workshop.assembly("frames")
    assert new.path(document) != old.path(document)
    assert not new.path(document).exists()
    new.sweep(set(), 0, before=2**40)
    assert [path.name for path in new.root.iterdir()] == ["later"]


def test_with_the_log_at_debug_a_frame_is_compared_with_its_pages(
    workshop: Workshop, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG, "channeld.indexing.assembly")
    assembly = workshop.assembly("frames")
    document = workshop.document(SOME, GLUE)
    compared = []

    def compare(frame: bytes, *_: object) -> str:
        compared.append(len(frame))
        return "" if len(compared) == 1 else "it differs."

    monkeypatch.setattr("channeld.indexing.assembly.check_assembled", compare)
    assembly.ensure(document).unlink()
    with pytest.raises(FrameWrong, match=r"is wrong: it differs\."):
        assembly.ensure(document)
    assert compared == [document.zst_size] * 2
    assert list(assembly.folder.iterdir()) == []
