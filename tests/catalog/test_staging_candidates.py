"""Rule: a staging channel keeps several candidates under one name; each is meant by its hash."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from channeld.catalog import channels, files, selection
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database
from channeld.catalog.rejections import CandidateAmbiguous, FileMissing
from channeld.catalog.selection import Selection, StoredFile
from tests.support.catalog import actor, add, artifact, dump, make_channel, relabel, rows, view_key

ONE, TWO, THREE = (artifact(content=content) for content in ("1", "2", "3"))
FILE = ONE.filename


@pytest.fixture
def staging(database: Database) -> Database:
    make_channel(database, "chan", ChannelSettings(kind="staging"))
    add(database, ONE)
    add(database, TWO)
    return database


def hashes(database: Database, label: str = "main") -> list[str]:
    """Tell which candidate the view shows."""
    ids = [row.artifact_id for row in rows(database, label) if row.shown]
    known = {row[0]: row[1] for row in dump(database)["artifacts"]}
    return [str(known[artifact_id]) for artifact_id in ids]


def downloaded(database: Database, label: str | None) -> str:
    """Tell which candidate a download gets."""

    def read(connection: Connection) -> StoredFile | None:
        channel = channels.get(connection, "chan")
        label_id = view_key(connection, label).label_id if label else None
        return selection.newest(connection, channel, "noarch", FILE, label_id)

    found = database.read_now(read)
    assert found is not None
    return found.sha256


def test_the_newest_is_shown_and_downloaded(staging: Database) -> None:
    assert hashes(staging) == [TWO.sha256]
    assert downloaded(staging, "main") == downloaded(staging, None) == TWO.sha256


def test_the_same_candidate_again_changes_nothing(staging: Database) -> None:
    before = dump(staging)

    assert add(staging, ONE).outcome == "unchanged"
    assert dump(staging) == before


def test_an_action_has_to_name_the_hash(staging: Database) -> None:
    before = dump(staging)
    with pytest.raises(CandidateAmbiguous) as rejection:
        staging.write_now(lambda c: files.delete(c, "chan", "noarch", FILE, actor()))
    assert rejection.value.candidates == (ONE.sha256, TWO.sha256)
    with pytest.raises(FileMissing):
        staging.write_now(lambda c: files.delete(c, "chan", "noarch", FILE, actor(), sha256=THREE.sha256))
    assert dump(staging) == before

    staging.write_now(lambda c: files.delete(c, "chan", "noarch", FILE, actor(), sha256=TWO.sha256))
    assert hashes(staging) == [ONE.sha256]


def test_a_candidate_that_was_deleted_does_not_keep_others_out(staging: Database) -> None:
    staging.write_now(lambda c: files.delete(c, "chan", "noarch", FILE, actor(), sha256=ONE.sha256))

    assert add(staging, THREE).outcome == "created"
    assert hashes(staging) == [THREE.sha256]


def test_a_download_under_a_label_gets_what_the_label_shows(staging: Database) -> None:
    """Another candidate's bytes would not be those that the index promises."""
    add(staging, ONE, "tested")

    assert hashes(staging, "tested") == [ONE.sha256]
    assert downloaded(staging, "tested") == ONE.sha256
    assert downloaded(staging, "main") == TWO.sha256


def test_a_broken_candidate_does_not_hide_the_others(staging: Database) -> None:
    chosen = Selection(filename=FILE, sha256=TWO.sha256)
    staging.write_now(lambda c: relabel(c, chosen, add=["broken"]))

    assert hashes(staging) == [ONE.sha256]
    assert downloaded(staging, "main") == ONE.sha256
    assert hashes(staging, "broken") == [TWO.sha256]
    assert downloaded(staging, "broken") == TWO.sha256


def test_an_older_candidate_comes_back_when_the_newest_loses_the_label(staging: Database) -> None:
    chosen = Selection(filename=FILE, sha256=TWO.sha256)
    lost = staging.write_now(lambda c: relabel(c, chosen, remove=["main"]))

    assert [file.sha256 for file in lost] == [TWO.sha256]
    assert hashes(staging) == [ONE.sha256]
