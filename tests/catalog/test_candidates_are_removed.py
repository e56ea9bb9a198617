"""Rule: a promotion and the end of its time remove a candidate for good, whatever holds on to it; nothing else goes."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from channeld.catalog import candidates, channels, copies, files, labels, selection, sweeping
from channeld.catalog.audit import newest
from channeld.catalog.copies import Copy, Pin
from channeld.catalog.database import Database
from tests.support.candidates import (
    FILE,
    ONE,
    STAGING,
    THREE,
    TWO,
    Promotable,
    expire,
    hide,
    listed,
    make_staging,
    promotable,
    promote,
    stage,
    who,
)
from tests.support.catalog import NOW, UNCHANGED, Observed, add, artifact, dump, make_channel, observe

SUBJECT = f"noarch/{FILE}"


@pytest.fixture
def staging(database: Database) -> Database:
    return make_staging(database, ONE, TWO, THREE)


def test_one_that_was_promoted_leaves_no_row(staging: Database) -> None:
    stage(staging, THREE, "rc")
    seen = observe(staging, lambda c: promote(c, THREE), STAGING)

    assert seen == Observed(
        1, [("main", "noarch", FILE), ("rc", "noarch", FILE)], [("file.promote", SUBJECT)]
    )
    assert (listed(staging), listed(staging, "rc")) == ("two", "")
    tables = dump(staging)
    assert [len(tables[name]) for name in ("files", "file_labels", "artifacts", "channel_facts")] == [
        2, 2, 3, 3,
    ]  # fmt: skip
    assert observe(staging, lambda c: promote(c, THREE), STAGING) == UNCHANGED


def test_whoever_looked_it_up_before_removes_nothing_else(staging: Database) -> None:
    """It was removed, or hidden and brought back, since: then its row is another one."""
    old = stage(staging, ONE).file
    hide(staging, ONE)
    stage(staging, ONE)

    def remove(connection: Connection) -> None:
        channel = channels.lock(connection, [STAGING])[STAGING]
        candidates.remove_candidate(connection, channel, old, who("copy"))

    assert observe(staging, remove, STAGING) == UNCHANGED


def test_those_go_whose_time_is_over(staging: Database) -> None:
    hide(staging, ONE)
    stage(staging, ONE, now_ms=NOW + 10)  # has a new life
    stage(staging, TWO, now_ms=NOW + 10)  # likewise
    assert staging.write_now(lambda c: expire(c, NOW + 2)) == 0
    seen = observe(staging, lambda c: expire(c, NOW + 3), STAGING)

    assert seen == Observed(1, [("main", "noarch", FILE)], [("file.expire", SUBJECT)])
    assert promotable(staging) == [Promotable("two", ("main",)), Promotable("one", ("main",))]
    assert staging.write_now(lambda c: expire(c, NOW + 11)) == 2
    assert promotable(staging) == []
    assert dump(staging)["file_labels"] == []


def test_hidden_ones_go_too_and_have_their_views_made_again(staging: Database) -> None:
    """What the label has had so far stands in the channel-level documents."""
    hide(staging, ONE)
    seen = observe(staging, lambda c: expire(c, NOW + 1), STAGING)

    assert seen == Observed(1, [("main", "noarch", FILE)], [("file.expire", SUBJECT)])
    assert [one.name for one in promotable(staging)] == ["two", "three"]


def test_a_locked_label_keeps_none(staging: Database) -> None:
    staging.write_now(lambda c: labels.configure(c, STAGING, "main", who("boss"), locked=True))
    staging.write_now(lambda c: promote(c, THREE))
    assert listed(staging) == "two"
    staging.write_now(lambda c: expire(c, NOW + 9))
    assert listed(staging) == ""


def test_the_books_say_what_went_and_whose_it_was(staging: Database) -> None:
    stage(staging, ONE, "rc")
    hide(staging, ONE)
    staging.write_now(lambda c: expire(c, NOW + 1))

    (row,) = staging.read_now(lambda c: newest(c, channel=STAGING, limit=1))
    assert (row.action, row.subject, row.actor, row.after) == ("file.expire", SUBJECT, "channeld", "")
    assert row.before == (
        f'{{"hidden_labels":[["main"],["rc"],["main","rc"]],"labels":[],"sha256":"{ONE.sha256}",'
        '"uploaded_by":"ci"}'
    )


def test_pins_keep_no_candidate(staging: Database) -> None:
    production = make_channel(staging, "chan")

    def pin(connection: Connection) -> None:
        file = selection.get(connection, channels.get(connection, STAGING), "noarch", FILE, ONE.sha256)
        copies.insert(
            connection, Copy("c", production.id, STAGING, "", "pinned", b"", b"", 0, None, NOW, NOW, None)
        )
        copies.pin(connection, "c", [Pin("noarch", FILE, file.artifact_id, file.sha256, file.md5, file.size)])

    staging.write_now(pin)
    assert staging.write_now(lambda c: expire(c, NOW + 99)) == 3

    left = staging.read_now(lambda c: sweeping.orphans(c, NOW + 999, unnamed_before_ms=NOW + 999))
    swept = staging.write_now(
        lambda c: sweeping.sweep_artifacts(c, left, NOW + 999, NOW + 999, unnamed_before_ms=NOW + 999)
    )
    assert {one.sha256 for one in swept} == {TWO.sha256, THREE.sha256}


def test_production_keeps_what_was_promoted(staging: Database) -> None:
    make_channel(staging, "chan")
    add(staging, ONE)
    staging.write_now(lambda c: promote(c, ONE))
    staged = staging.read_now(lambda c: channels.get(c, STAGING)).id
    before = [row for row in dump(staging)["files"] if row[1] != staged]

    staging.write_now(lambda c: expire(c, NOW + 99))

    assert dump(staging)["files"] == before
    assert staging.read_now(lambda c: sweeping.orphans(c, 0, unnamed_before_ms=NOW + 999)) != []
    swept = staging.read_now(lambda c: sweeping.orphans(c, NOW + 999, unnamed_before_ms=NOW + 999))
    (kept,) = staging.read_now(lambda c: selection.candidates(c, channels.get(c, "chan"), "noarch", FILE))
    assert kept.artifact_id not in swept


def test_nothing_of_a_standard_channel_can_be_removed(database: Database) -> None:
    channel = make_channel(database)
    kept = add(database, ONE).file
    add(database, artifact("gone"))
    database.write_now(lambda c: files.delete(c, "chan", "noarch", "gone-1.0-0.conda", who("x")))
    before = dump(database)

    assert database.read_now(lambda c: candidates.expired(c, channel, NOW + 999)) == []
    with pytest.raises(ValueError, match="taken for ever"):
        database.write_now(lambda c: candidates.expire(c, "chan", [kept.id], NOW + 999, who("x")))
    with pytest.raises(ValueError, match="taken for ever"):
        database.write_now(lambda c: candidates.remove_candidate(c, channel, kept, who("x")))
    assert dump(database) == before


def test_a_file_of_another_channel_is_out_of_reach(staging: Database) -> None:
    """Whatever ids are given: those of the channel alone count."""
    make_channel(staging, "chan")
    kept = add(staging, artifact("alpha", content="other")).file
    before = dump(staging)

    assert staging.write_now(lambda c: candidates.expire(c, STAGING, [kept.id], NOW + 999, who("x"))) == 0
    assert dump(staging) == before


def test_they_go_some_at_a_time(staging: Database) -> None:
    channel = staging.read_now(lambda c: channels.get(c, STAGING))
    assert len(staging.read_now(lambda c: candidates.expired(c, channel, NOW + 99, 2))) == 2
