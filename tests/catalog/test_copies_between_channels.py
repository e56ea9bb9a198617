"""Rule: a copy is rows only, in one transaction; the target's rules hold, and nothing that is hidden comes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from channeld.catalog import copying, files, labels
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.copying import Copying, CopyOfBroken
from channeld.catalog.database import Database
from channeld.catalog.files import Added
from channeld.catalog.rejections import ChannelMissing, FileConflict, FileMissing, LabelLocked, LabelMissing
from channeld.catalog.selection import Selection, StoredFile
from channeld.errors import Rejected
from channeld.formats.rejections import BadName
from tests.support.catalog import actions, actor, add, artifact, entered, make_channel, revision_of, shown

LATER = 1_700_000_000_500


class Unwanted(Rejected):
    def sentence(self) -> str:
        return "No."


def agree(_files: Sequence[StoredFile]) -> None:
    pass


def refuse(_files: Sequence[StoredFile]) -> None:
    raise Unwanted


@pytest.fixture(autouse=True)
def channels(database: Database) -> None:
    make_channel(database, "from")
    make_channel(database, "to")


def copy(
    database: Database, *names: str, target: str = "to", approve: copying.Approval = agree, **selected: str
) -> list[Added]:
    asked = Copying(
        "from", Selection(**{"name": "alpha", "label": "main", **selected}), target, names or ("main",)
    )
    return database.write_now(lambda connection: copying.copy(connection, asked, actor(LATER), approve))


def test_the_copy_has_the_bytes_and_labels_and_times_of_its_own(database: Database) -> None:
    first = add(database, artifact(), "main", "dev", channel="from")

    (added,) = copy(database, "rc")

    assert (added.outcome, added.file.sha256, added.file.artifact_id) == (
        "created",
        first.file.sha256,
        first.file.artifact_id,
    )
    assert entered(database, "rc", channel="to") == {"alpha-1.0-0.conda": LATER}
    assert shown(database, channel="to") == []
    assert shown(database, channel="from") == ["alpha-1.0-0.conda"]
    assert actions(database)[-1][:3] == ("file.add", "to", "noarch/alpha-1.0-0.conda")


def test_a_copy_of_what_is_there_changes_nothing(database: Database) -> None:
    add(database, artifact(), channel="from")
    copy(database)
    before = revision_of(database, "to")

    assert [added.outcome for added in copy(database)] == ["unchanged"]
    assert revision_of(database, "to") == before


def test_of_several_files_all_are_copied_or_none(database: Database) -> None:
    for build in ("0", "1", "2"):
        add(database, artifact(build=build), channel="from")
    add(database, artifact(build="2", content="other"), channel="to")

    with pytest.raises(FileConflict):
        copy(database)

    assert shown(database, channel="to") == ["alpha-1.0-2.conda"]


def test_what_was_deleted_in_the_target_stays_taken(database: Database) -> None:
    add(database, artifact(), channel="from")
    add(database, artifact(content="other"), channel="to")
    database.write_now(lambda c: files.delete(c, "to", "noarch", "alpha-1.0-0.conda", actor()))

    with pytest.raises(FileConflict) as refused:
        copy(database)

    assert refused.value.deleted


def test_a_staging_channel_takes_another_candidate(database: Database) -> None:
    make_channel(database, "staging", ChannelSettings(kind="staging"))
    add(database, artifact(content="other"), channel="staging")
    add(database, artifact(), channel="from")

    assert [added.outcome for added in copy(database, target="staging")] == ["created"]


def test_broken_files_are_left_out_and_told_when_named(database: Database) -> None:
    add(database, artifact(), "main", "broken", channel="from")
    add(database, artifact(build="1"), channel="from")

    assert [added.file.filename for added in copy(database)] == ["alpha-1.0-1.conda"]
    with pytest.raises(CopyOfBroken):
        copy(database, filename="alpha-1.0-0.conda")
    assert shown(database, channel="to") == ["alpha-1.0-1.conda"]


def test_broken_files_are_copied_from_the_label_that_shows_them(database: Database) -> None:
    add(database, artifact(), "main", "broken", channel="from")

    assert len(copy(database, "broken", label="broken")) == 1


@pytest.mark.parametrize(
    ("selected", "rule"),
    [
        ({"filename": "alpha-2.0-0.conda"}, FileMissing),
        ({"label": "nothing"}, LabelMissing),
        ({"target": "nowhere"}, ChannelMissing),
    ],
)
def test_what_is_not_there_cannot_be_copied(
    database: Database, selected: dict[str, Any], rule: type[Rejected]
) -> None:
    add(database, artifact(), channel="from")
    with pytest.raises(rule):
        copy(database, **selected)
    assert shown(database, channel="to") == []


def test_the_target_keeps_its_own_rules_for_names(database: Database) -> None:
    add(database, artifact("Alpha"), channel="from")

    with pytest.raises(BadName):
        copy(database, name="Alpha")


def test_locked_labels_and_objections_are_heeded(database: Database) -> None:
    add(database, artifact(), channel="from")
    with pytest.raises(Unwanted):
        copy(database, approve=refuse)
    database.write_now(lambda c: labels.configure(c, "to", "main", actor(), locked=True))
    with pytest.raises(LabelLocked):
        copy(database)
    assert shown(database, channel="to") == []
