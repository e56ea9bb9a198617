"""Rule: a piece is returned as it was written, or ``PieceDamaged`` is raised; nothing in between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.blobs.durable import DiskUnavailable
from channeld.indexing.packindex import StoredPiece
from channeld.indexing.packs import SUFFIX, PackName, Packs, PieceDamaged
from channeld.indexing.pagetable import Place
from tests.support.indexing import QuickDisk, flip_bit

NAME = PackName(7, 1_700_000_000_000, 3, "0badcafe")


def stored(folder: Path, *pieces: bytes, name: PackName = NAME) -> tuple[Packs, list[Place]]:
    packs = Packs(folder, QuickDisk())
    pack = packs.writer(name)
    places = [pack.add(piece) for piece in pieces]
    pack.commit()
    return packs, places


def path_of(packs: Packs, name: object = NAME) -> Path:
    return packs.folder / f"{name}{SUFFIX}"


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=6), st.data())
@settings(deadline=None, max_examples=60)
def test_any_single_damage_is_found(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], data: st.DataObject
) -> None:
    packs, places = stored(tmp_path_factory.mktemp("packs"), *pieces)
    path = path_of(packs)
    size = sum(len(piece) for piece in set(pieces))
    if data.draw(st.booleans(), label="cut short"):
        cut = data.draw(st.integers(0, size), label="at")
        path.write_bytes(path.read_bytes()[:cut])
        hurt = [place.size > 0 and place.start + place.size > cut for place in places]
    elif size:
        at = data.draw(st.integers(0, size - 1), label="flipped at")
        flip_bit(path, at)
        hurt = [place.start <= at < place.start + place.size for place in places]
    else:
        hurt = [False] * len(places)
    packs.close()
    for piece, place, is_hurt in zip(pieces, places, hurt, strict=True):
        if is_hurt:
            with pytest.raises(PieceDamaged):
                packs.read(place)
        else:
            assert packs.read(place) == piece


def test_pieces_come_back_and_equal_ones_are_stored_once(tmp_path: Path) -> None:
    packs, places = stored(tmp_path, b"one", b"two", b"one", b"")
    assert [packs.read(place) for place in places] == [b"one", b"two", b"one", b""]
    assert places[0] == places[2]
    assert packs.names() == [str(NAME)]


def test_a_missing_pack_is_damage(tmp_path: Path) -> None:
    packs, (place,) = stored(tmp_path, b"one")
    path_of(packs).unlink()
    with pytest.raises(PieceDamaged, match="the pack is missing"):
        packs.read(place)


def test_an_open_pack_is_read_on_after_it_was_deleted_elsewhere(tmp_path: Path) -> None:
    packs, (place,) = stored(tmp_path, b"one")
    assert packs.read(place) == b"one"
    path_of(packs).unlink()
    assert packs.read(place) == b"one"


def test_a_disk_that_cannot_read_is_damage_and_one_that_does_not_answer_is_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packs, (place,) = stored(tmp_path, b"one")

    def broken(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pread", broken)
        with pytest.raises(PieceDamaged, match="cannot be read"):
            packs.read(place)

    def refused(*_: object) -> int:
        raise OSError(24, "Too many open files")

    packs.close()
    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(DiskUnavailable, match="Too many open files"):
        packs.read(place)


def test_an_empty_pack_leaves_no_file(tmp_path: Path) -> None:
    packs = Packs(tmp_path / "packs", QuickDisk())
    packs.writer(NAME).commit()
    assert packs.names() == []
    assert not (tmp_path / "packs").exists()


def test_what_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    packs = Packs(tmp_path, QuickDisk())
    pack = packs.writer(NAME)
    pack.add(b"one")
    pack.discard()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError):
        pack.add(b"two")


def test_names_tell_channel_time_and_epoch_and_are_never_the_same() -> None:
    name, other = PackName.new(3, 5, 9), PackName.new(3, 5, 9, merged=True)
    assert name != PackName.new(3, 5, 9)
    assert (name.channel_id, name.made_ms, name.epoch, name.merged) == (3, 5, 9, False)
    assert [PackName.parse(str(each)) for each in (name, other)] == [name, other]
    assert str(other) != str(name)


@pytest.mark.parametrize("text", ["", "abc", "1-2-3", "1-2-3-", "x-2-3-aa", "1-2-3-4-5", "1--3-aa"])
def test_files_that_are_no_packs_have_no_name(text: str) -> None:
    assert PackName.parse(text) is None


def test_a_merged_pack_answers_for_the_places_of_others(tmp_path: Path) -> None:
    packs, (one, two) = stored(tmp_path, b"one", b"two")
    merged = PackName(7, 9, 3, "feed", merged=True)
    pack = packs.writer(merged)
    pack.take_over(two, b"two")
    pack.commit()
    assert packs.pieces_of(str(merged)) == [StoredPiece(two, 0)]
    packs.delete(str(NAME))
    for reader in (packs, Packs(tmp_path, QuickDisk())):
        assert reader.read(two) == b"two"
        with pytest.raises(PieceDamaged):
            reader.read(one)


def test_merging_again_is_found_by_who_knows_the_first_merge_only(tmp_path: Path) -> None:
    packs, (one,) = stored(tmp_path, b"one")
    reader = Packs(tmp_path, QuickDisk())
    first, second = (PackName(7, 9, 3, nonce, merged=True) for nonce in ("aa", "bb"))
    for name, old in ((first, NAME), (second, first)):
        pack = packs.writer(name)
        pack.take_over(one, packs.read(one))
        pack.commit()
        packs.took_over(str(name), pack.pieces())
        packs.delete(str(old))
        reader.close()
        assert reader.read(one) == b"one"
    assert packs.names() == [str(second)]


def test_a_merged_pack_whose_index_is_damaged_answers_for_nothing(tmp_path: Path) -> None:
    packs, (one,) = stored(tmp_path, b"one")
    merged = PackName(7, 9, 3, "feed", merged=True)
    pack = packs.writer(merged)
    pack.take_over(one, b"one")
    pack.commit()
    packs.delete(str(NAME))
    flip_bit(path_of(packs, merged), 5)
    with pytest.raises(PieceDamaged):
        Packs(tmp_path, QuickDisk()).read(one)


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    packs = Packs(tmp_path, QuickDisk())
    places = []
    for number in range(200):
        pack = packs.writer(PackName(1, number, 1, "aa"))
        places.append(pack.add(b"%d" % number))
        pack.commit()
    before = len(os.listdir("/proc/self/fd"))
    assert [packs.read(place) for place in places] == [b"%d" % number for number in range(200)]
    assert len(os.listdir("/proc/self/fd")) - before <= 130
    packs.close()
    assert len(os.listdir("/proc/self/fd")) <= before
