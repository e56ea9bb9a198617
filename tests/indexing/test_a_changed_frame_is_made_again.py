"""Rule: a frame that was changed after it was made is neither served nor copied from; it is told, and made again."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from channeld.blobs.durable import DiskUnavailable
from channeld.indexing.assembly import Assembly
from channeld.indexing.generation import Paged
from tests.indexing.test_frames_are_made_of_ranges import GLUE, SOME, Workshop, workshop_in
from tests.support.indexing import flip_bit

CHANGE = {"one": {"k20": "changed"}}


def flip(path: Path) -> None:
    flip_bit(path, path.stat().st_size // 4)  # in a page that the next document has too


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 5)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def flip_unnoticed(path: Path) -> None:
    """What a disk does that gives other bytes than it took."""
    status = path.stat()
    flip(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


DAMAGE = pytest.mark.parametrize("damage", [flip, cut, empty])


@dataclass
class Frames:
    """The frames of two documents that follow each other, and how often damage was told."""

    assembly: Assembly
    first: Paged
    second: Paged
    #: What the frames have to be.
    bytes_of_first: bytes
    bytes_of_second: bytes
    told: int = 0

    def tell(self) -> None:
        self.told += 1


@pytest.fixture
def frames(tmp_path: Path) -> Iterator[Frames]:
    with workshop_in(tmp_path) as workshop:
        yield make_frames(workshop)


def make_frames(workshop: Workshop) -> Frames:
    first, second = workshop.document(SOME, GLUE), workshop.document(CHANGE, GLUE)
    alone = workshop.assembly("alone")
    frames = Frames(
        workshop.assembly("frames"),
        first,
        second,
        bytes_of_first=alone.ensure(first).read_bytes(),
        bytes_of_second=alone.ensure(second).read_bytes(),
    )
    frames.assembly.on_damage = frames.tell
    frames.assembly.ensure(first)
    return frames


@DAMAGE
def test_readers_get_it_made_again(
    frames: Frames, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = frames.assembly.path(frames.first)
    damage(path)
    assert frames.assembly.find(frames.first) is None
    with frames.assembly.open(frames.first) as file:
        assert file.read() == frames.bytes_of_first
    assert frames.told == 1
    assert [record.getMessage() for record in caplog.records] == [
        f"The frame {path} was changed after it was made. It is made again."
    ]
    with frames.assembly.open(frames.first) as file:
        assert file.read() == frames.bytes_of_first
    assert frames.told == 1


@DAMAGE
def test_the_next_one_is_made_without_it(frames: Frames, damage: Callable[[Path], None]) -> None:
    damage(frames.assembly.path(frames.first))
    path = frames.assembly.ensure(frames.second, frames.first)
    assert path.read_bytes() == frames.bytes_of_second


def test_one_that_cannot_be_read_is_done_without_and_dropped(
    frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "copy_file_range", fail)
    path = frames.assembly.ensure(frames.second, frames.first)
    assert path.read_bytes() == frames.bytes_of_second
    assert not frames.assembly.path(frames.first).exists()
    assert frames.told == 1
    assert not list(frames.assembly.folder.glob("*.tmp"))


def test_with_the_log_at_debug_even_damage_that_left_no_trace_does_not_spread(
    frames: Frames, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "channeld.indexing.assembly")
    flip_unnoticed(frames.assembly.path(frames.first))
    path = frames.assembly.ensure(frames.second, frames.first)
    assert path.read_bytes() == frames.bytes_of_second
    assert not frames.assembly.path(frames.first).exists()
    assert frames.told == 1


def test_a_frame_is_whole_for_other_processes_too(frames: Frames) -> None:
    """The seal is in the file, not in the memory of who made it."""
    other = Assembly(frames.assembly.root, frames.assembly._packs, frames.assembly._tables)
    other.on_damage = frames.tell
    inode = other.path(frames.first).stat().st_ino
    assert other.ensure(frames.first).stat().st_ino == inode
    assert frames.told == 0


@DAMAGE
def test_a_check_tells_it_and_changes_nothing(frames: Frames, damage: Callable[[Path], None]) -> None:
    path = frames.assembly.path(frames.first)
    table = frames.assembly._tables.get(frames.first.table)
    assert frames.assembly.problem_of(frames.first, table) == ""
    damage(path)
    damaged = path.read_bytes()
    assert frames.assembly.problem_of(frames.first, table) != ""
    assert path.read_bytes() == damaged
    path.write_bytes(frames.bytes_of_first)
    assert frames.assembly.problem_of(frames.first, table) == "it was changed after it was made"
    path.unlink()
    assert frames.assembly.problem_of(frames.first, table) == ""


def test_a_disk_that_never_keeps_what_it_is_given_is_no_endless_loop(
    frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "utime", lambda *_, **__: None)
    frames.assembly.path(frames.first).unlink()
    with pytest.raises(DiskUnavailable, match="is not as it was written"):
        frames.assembly.open(frames.first)
