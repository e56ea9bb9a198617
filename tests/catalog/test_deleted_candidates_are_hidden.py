"""Rule: deleting a candidate hides it; by its hash it can be promoted, and its bytes bring it back as the newest.

So nobody who shares a token with others can keep them from promoting what they have uploaded.
"""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from channeld.catalog import channels, files, labels, listing, selection
from channeld.catalog.database import Database
from channeld.catalog.listing import Wanted
from channeld.catalog.rejections import ChannelNotEmpty, FileMissing, LabelLocked
from tests.support.candidates import (
    FILE,
    NAMES,
    ONE,
    STAGING,
    THREE,
    TWO,
    Promotable,
    hide,
    listed,
    make_staging,
    promotable,
    promote,
    stage,
    who,
)
from tests.support.catalog import NOW, Observed, add, dump, entered, observe, relabel

LATER = NOW + 60_000


@pytest.fixture
def staging(database: Database) -> Database:
    return make_staging(database, ONE, TWO)


def files_of(database: Database, *, deleted: bool = False) -> list[str]:
    def read(connection: Connection) -> list[str]:
        channel = channels.get(connection, STAGING)
        found = selection.candidates(connection, channel, "noarch", FILE, deleted=deleted)
        return [NAMES[file.sha256] for file in found]

    return database.read_now(read)


def test_it_is_gone_from_index_look_ups_and_downloads(staging: Database) -> None:
    hide(staging, TWO)

    assert (listed(staging), files_of(staging)) == ("one", ["one"])
    with pytest.raises(FileMissing):
        hide(staging, TWO)
    page = staging.read_now(
        lambda c: listing.page(c, channels.get(c, STAGING), Wanted(sha256=TWO.sha256), 10)
    )
    assert page == ([], "")
    hide(staging, ONE)
    assert (listed(staging), files_of(staging)) == ("", [])


def test_it_can_be_promoted_by_its_hash(staging: Database) -> None:
    stage(staging, THREE, "dev", "main")
    hide(staging, ONE)
    hide(staging, THREE)

    assert promotable(staging) == [
        Promotable("one", ("main",), hidden=True),
        Promotable("two", ("main",)),
        Promotable("three", ("dev", "main"), hidden=True),
    ]
    staging.write_now(lambda c: promote(c, ONE))
    assert [one.name for one in promotable(staging)] == ["two", "three"]


def test_it_is_one_change_of_the_views_that_showed_it(staging: Database) -> None:
    seen = observe(
        staging, lambda c: files.delete(c, STAGING, "noarch", FILE, who("ci"), sha256=TWO.sha256), STAGING
    )

    assert seen == Observed(1, [("main", "noarch", FILE)], [("file.hide", f"noarch/{FILE}")])


def test_the_same_bytes_bring_it_back_as_the_newest_with_a_new_life(staging: Database) -> None:
    hide(staging, ONE, now_ms=NOW + 5)
    assert listed(staging) == "two"

    back = stage(staging, ONE, "rc", by="other", now_ms=LATER)

    assert back.outcome == "restored"
    assert (back.file.uploaded_ms, back.file.uploaded_by) == (LATER, "other")
    assert (listed(staging), listed(staging, "rc")) == ("two", "one")
    assert files_of(staging, deleted=True) == ["two", "one"]
    stage(staging, ONE, "main", now_ms=LATER)
    assert listed(staging) == "one"


def test_what_comes_back_keeps_its_times_of_entry(staging: Database) -> None:
    """CEP 47: the same bytes in the same view."""
    stage(staging, ONE, "rc", now_ms=NOW + 7)
    hide(staging, ONE)
    hide(staging, TWO)
    stage(staging, ONE, "rc", now_ms=LATER)
    stage(staging, ONE, "main", now_ms=LATER)

    assert [entered(staging, label, channel=STAGING) for label in ("main", "rc")] == [
        {FILE: NOW},
        {FILE: NOW + 7},
    ]


def test_the_same_bytes_again_prolong_the_life_of_one_that_is_shown(staging: Database) -> None:
    seen = observe(staging, lambda c: files.add(c, STAGING, ONE, ["main"], who("other", LATER)), STAGING)
    again = stage(staging, ONE, by="other", now_ms=LATER)

    assert seen == Observed(1, [], [("file.renew", f"noarch/{FILE}")])
    assert (again.outcome, again.revision) == ("unchanged", 0)
    assert (again.file.uploaded_ms, again.file.uploaded_by) == (LATER, "ci")
    assert listed(staging) == "two"  # it has not come again: it was there
    stage(staging, ONE, now_ms=NOW)  # a clock that is behind takes nothing away
    assert stage(staging, ONE, now_ms=LATER).file.uploaded_ms == LATER


def test_a_hidden_candidate_does_not_come_back_where_its_label_is_locked(staging: Database) -> None:
    hide(staging, ONE)
    staging.write_now(lambda c: labels.create(c, STAGING, "closed", who("boss")))
    staging.write_now(lambda c: labels.configure(c, STAGING, "closed", who("boss"), locked=True))
    before = dump(staging)

    with pytest.raises(LabelLocked):
        stage(staging, ONE, "closed")
    assert dump(staging) == before


class TestNobodyBlocksAnother:
    """One shared token: the other uploads, hides and labels the same bytes, and what was theirs can be promoted."""

    MINE = Promotable("one", ("main",))

    def test_by_uploading_them_under_another_label(self, staging: Database) -> None:
        for label in ("rc", "broken"):
            stage(staging, ONE, label)

        assert promotable(staging) == [
            Promotable("one", ("broken", "main", "rc")),
            self.MINE,
            Promotable("one", ("rc",)),
            Promotable("one", ("main", "rc")),
            Promotable("one", ("broken",)),
            Promotable("two", ("main",)),
        ]

    def test_by_hiding_them_and_uploading_them_under_another_label(self, staging: Database) -> None:
        hide(staging, ONE)
        stage(staging, ONE, "rc")

        assert promotable(staging)[1:] == [Promotable("one", ("rc",)), self.MINE]

    def test_by_being_first_with_another_label(self, staging: Database) -> None:
        stage(staging, THREE, "main", "rc")
        stage(staging, THREE, "main")

        assert promotable(staging)[2:] == [
            Promotable("three", ("main", "rc")),
            Promotable("three", ("main",)),
        ]
        hide(staging, THREE)
        assert {one.labels for one in promotable(staging) if one.hidden} == {("main",), ("main", "rc")}

    def test_however_often_it_is_hidden_and_brought_back(self, staging: Database) -> None:
        for label in ("rc", "dev", "main", "rc"):
            hide(staging, ONE)
            stage(staging, ONE, label)
            assert ("main",) in {one.labels for one in promotable(staging) if one.name == "one"}

    def test_but_who_may_change_labels_may(self, staging: Database) -> None:
        stage(staging, ONE, "rc")
        chosen = selection.Selection(filename=FILE, sha256=ONE.sha256)
        staging.write_now(lambda c: relabel(c, chosen, remove=["main"], channel=STAGING))

        assert promotable(staging) == [Promotable("one", ("rc",)), Promotable("two", ("main",))]


def test_a_candidate_that_nobody_labelled_is_hidden_for_good(staging: Database) -> None:
    chosen = selection.Selection(filename=FILE, sha256=ONE.sha256)
    staging.write_now(lambda c: relabel(c, chosen, remove=["main"], channel=STAGING))
    assert promotable(staging)[0] == Promotable("one", ())
    hide(staging, ONE)
    assert promotable(staging) == [Promotable("two", ("main",))]

    stage(staging, ONE)
    assert promotable(staging)[1:] == [Promotable("one", ("main",))]
    staging.write_now(lambda c: relabel(c, chosen, remove=["main"], channel=STAGING))
    stage(staging, ONE, "rc", "dev")
    stage(staging, ONE, "rc")
    assert promotable(staging)[1:] == [Promotable("one", ("dev", "rc")), Promotable("one", ("rc",))]


def test_a_channel_with_nothing_but_hidden_candidates_is_not_empty(staging: Database) -> None:
    hide(staging, ONE)
    hide(staging, TWO)

    with pytest.raises(ChannelNotEmpty) as rejection:
        staging.write_now(lambda c: channels.delete(c, STAGING, who("boss")))
    assert rejection.value.files == 2
    staging.write_now(lambda c: channels.delete(c, STAGING, who("boss"), force=True))
    assert dump(staging)["files"] == []


def test_a_standard_channel_hides_nothing(database: Database) -> None:
    channel = database.write_now(lambda c: channels.create(c, "chan", channels.ChannelSettings(), who("x")))
    add(database, ONE)
    database.write_now(lambda c: files.delete(c, "chan", "noarch", FILE, who("x")))

    assert [row[-1] for row in dump(database)["files"]] == [None]
    assert database.read_now(lambda c: selection.candidates(c, channel, "noarch", FILE)) == []
