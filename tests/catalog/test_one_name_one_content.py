"""Rule: a file name in a channel means the same bytes for ever; giving them again changes nothing."""

from __future__ import annotations

import pytest

from channeld.catalog import files
from channeld.catalog.database import Database
from channeld.catalog.rejections import FileConflict, FileMissing
from tests.support.catalog import (
    NOW,
    UNCHANGED,
    Observed,
    actor,
    add,
    artifact,
    dump,
    make_channel,
    observe,
    shown,
)

ALPHA = artifact()
FILE = ALPHA.filename


def delete(database: Database, now_ms: int = NOW) -> None:
    database.write_now(lambda connection: files.delete(connection, "chan", "noarch", FILE, actor(now_ms)))


def test_a_file_is_added_under_main(database: Database) -> None:
    make_channel(database)

    added = add(database, ALPHA)

    assert (added.outcome, added.revision) == ("created", 2)
    assert (added.file.filename, added.file.sha256, added.file.broken, added.file.deleted_ms) == (
        FILE,
        ALPHA.sha256,
        False,
        None,
    )
    assert (added.file.uploaded_ms, added.file.uploaded_by) == (NOW, "tester")
    assert shown(database) == [FILE]


def test_the_same_bytes_again_change_nothing(database: Database) -> None:
    make_channel(database)
    first = add(database, ALPHA)
    before = dump(database)

    again = add(database, ALPHA, now_ms=NOW + 1)

    assert (again.outcome, again.revision, again.file) == ("unchanged", 0, first.file)
    assert dump(database) == before


def test_the_same_bytes_under_another_label_add_the_label(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA)

    again = add(database, ALPHA, "dev", "dev")

    assert (again.outcome, again.revision) == ("relabelled", 4)  # 3 is the label's creation
    assert shown(database, "main") == shown(database, "dev") == [FILE]


def test_other_bytes_are_a_conflict(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA)
    other = artifact(content="other")
    before = dump(database)

    with pytest.raises(FileConflict) as rejection:
        add(database, other, "a-new-label")

    assert rejection.value.detail() == {
        "channel": "chan",
        "subdir": "noarch",
        "filename": FILE,
        "stored_sha256": ALPHA.sha256,
        "offered_sha256": other.sha256,
        "deleted": False,
    }
    assert dump(database) == before


def test_a_deleted_file_is_in_no_view_and_its_name_stays_taken(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA, "main", "dev")
    delete(database)

    assert shown(database, "main") == shown(database, "dev") == []
    with pytest.raises(FileMissing):
        delete(database)
    before = dump(database)
    with pytest.raises(FileConflict) as rejection:
        add(database, artifact(content="other"))
    assert rejection.value.deleted
    assert dump(database) == before


def test_the_same_bytes_bring_a_deleted_file_back(database: Database) -> None:
    make_channel(database)
    first = add(database, ALPHA, "main", "dev")
    delete(database)

    back = add(database, ALPHA, "dev", now_ms=NOW + 5)

    assert (back.outcome, back.file) == ("restored", first.file)
    assert shown(database, "dev") == [FILE]
    assert shown(database, "main") == []  # under the labels that were asked for, not those it had


def test_deletion_touches_every_view_that_the_file_was_in(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA, "main", "dev")

    seen = observe(database, lambda connection: files.delete(connection, "chan", "noarch", FILE, actor()))

    assert seen == Observed(
        1, [("dev", "noarch", FILE), ("main", "noarch", FILE)], [("file.delete", f"noarch/{FILE}")]
    )


def test_an_artifact_in_two_channels_is_stored_once(database: Database) -> None:
    make_channel(database)
    make_channel(database, "other")

    one, two = add(database, ALPHA), add(database, ALPHA, channel="other")

    assert one.file.artifact_id == two.file.artifact_id
    assert one.file.id != two.file.id
    assert len(dump(database)["artifacts"]) == 1


def test_whether_there_is_room_can_be_asked_without_changing_anything(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA)
    before = dump(database)

    database.read_now(lambda connection: files.check_room(connection, "chan", ALPHA, ["new"]))
    with pytest.raises(FileConflict):
        database.read_now(
            lambda connection: files.check_room(connection, "chan", artifact(content="other"), [])
        )

    assert dump(database) == before


def test_an_unchanged_upload_is_not_written_down(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA)

    assert observe(database, lambda c: files.add(c, "chan", ALPHA, ["main"], actor())) == UNCHANGED
