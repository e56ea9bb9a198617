"""Rule: a channel is created once, changed by name, and deleted with everything in it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from channeld.catalog import channels, labels
from channeld.catalog import tables as t
from channeld.catalog.channels import Channel, ChannelSettings
from channeld.catalog.database import Database
from channeld.catalog.rejections import BadSettingValue, ChannelExists, ChannelMissing, ChannelNotEmpty
from channeld.formats.rejections import ChannelNameMalformed, SubdirMalformed
from tests.support.catalog import (
    NOW,
    actions,
    actor,
    add,
    artifact,
    dump,
    make_channel,
    marks,
    observe,
    publish,
    revision_of,
    wipe_marks,
)


def test_a_new_channel_has_the_label_main_and_the_subdir_noarch(database: Database) -> None:
    created = make_channel(database, "chan", ChannelSettings(subdirs=("win-64", "linux-64")))

    settings = ChannelSettings("standard", False, "refuse", ("linux-64", "noarch", "win-64"), "")
    assert created == Channel(created.id, "chan", settings, 1, NOW)
    assert database.read_now(lambda connection: channels.get(connection, "chan")) == created
    assert [label.name for label in database.read_now(lambda c: labels.every(c, created))] == ["main"]
    assert actions(database) == [("channel.create", "chan", "", 1)]
    assert marks(database) == []  # an empty view is virtual


def test_creating_it_again_changes_nothing(database: Database) -> None:
    created = make_channel(database)
    before = dump(database)

    assert make_channel(database) == created
    assert dump(database) == before


def test_it_is_not_created_over_one_with_other_settings(database: Database) -> None:
    make_channel(database)
    before = dump(database)

    with pytest.raises(ChannelExists):
        make_channel(database, "chan", ChannelSettings(private=True))
    assert dump(database) == before


def test_created_by_many_at_once_it_is_one(database: Database) -> None:
    with ThreadPoolExecutor(8) as threads:
        created = list(threads.map(lambda _: make_channel(database), range(8)))

    assert set(created) == {created[0]}
    assert actions(database) == [("channel.create", "chan", "", 1)]


@pytest.mark.parametrize("name", ["", "Chan", "a/b", "chän", "-chan", "a b", "c" * 129])
def test_its_name_follows_cep_26(database: Database, name: str) -> None:
    before = dump(database)

    with pytest.raises(Exception, match="channel name"):
        make_channel(database, name)
    assert dump(database) == before


def test_settings_change_by_name(database: Database) -> None:
    make_channel(database)

    seen = observe(
        database,
        lambda connection: channels.configure(
            connection, "chan", {"private": True, "subdirs": ["osx-64"], "description": "ours"}, actor()
        ),
    )

    assert (seen.revisions, seen.marks, seen.actions) == (1, [], [("channel.configure", "")])
    settings = database.read_now(lambda connection: channels.get(connection, "chan")).settings
    assert settings == ChannelSettings("standard", True, "refuse", ("noarch", "osx-64"), "ours")


def test_settings_that_are_as_asked_are_no_change(database: Database) -> None:
    make_channel(database)
    before = dump(database)

    database.write_now(lambda c: channels.configure(c, "chan", {"private": False}, actor()))

    assert dump(database) == before


@pytest.mark.parametrize(
    ("changes", "rejection"),
    [
        ({"kind": "staging"}, BadSettingValue),  # for life: names are stored by it
        ({"kind": "other"}, BadSettingValue),
        ({"legacy": "perhaps"}, BadSettingValue),
        ({"private": "yes"}, BadSettingValue),
        ({"subdirs": "linux-64"}, BadSettingValue),
        ({"subdirs": ["Linux 64"]}, SubdirMalformed),
        ({"revision": 7}, BadSettingValue),
    ],
)
def test_settings_that_cannot_be_are_refused(
    database: Database, changes: dict[str, object], rejection: type[Exception]
) -> None:
    make_channel(database)
    before = dump(database)

    with pytest.raises(rejection):
        database.write_now(lambda connection: channels.configure(connection, "chan", changes, actor()))
    assert dump(database) == before


def test_a_new_subdir_is_rendered_where_even_an_empty_view_says_something(database: Database) -> None:
    make_channel(database)
    database.write_now(lambda c: labels.create(c, "chan", "dev", actor()))
    database.write_now(lambda c: labels.configure(c, "chan", "dev", actor(), relations={"base": "../other"}))
    wipe_marks(database)

    database.write_now(lambda c: channels.configure(c, "chan", {"subdirs": ["linux-64"]}, actor()))

    assert marks(database) == [("dev", "linux-64", "")]


def test_a_channel_with_files_is_deleted_on_demand_only(database: Database) -> None:
    make_channel(database)
    add(database, artifact())
    before = dump(database)

    with pytest.raises(ChannelNotEmpty) as rejection:
        database.write_now(lambda connection: channels.delete(connection, "chan", actor()))
    assert rejection.value.files == 1
    assert dump(database) == before


def test_with_it_goes_everything_but_the_artifacts_and_the_audit(database: Database) -> None:
    make_channel(database)
    add(database, artifact(), "main", "dev")
    publish(database)
    add(database, artifact("beta"))

    database.write_now(lambda connection: channels.delete(connection, "chan", actor(), force=True))

    left = {table for table, rows in dump(database).items() if rows}
    assert left == {"artifacts", "channel_facts", "audit", "leases"}
    assert actions(database)[-1] == ("channel.delete", "chan", "", 5)
    with pytest.raises(ChannelMissing):
        revision_of(database)


def test_a_channel_of_the_same_name_goes_on_where_the_deleted_one_ended(database: Database) -> None:
    first = make_channel(database)
    add(database, artifact())
    database.write_now(lambda connection: channels.delete(connection, "chan", actor(), force=True))

    second = make_channel(database)

    assert second.revision == 4  # 1 create, 2 add, 3 delete
    assert second.id > first.id


def test_ids_are_never_given_twice(database: Database) -> None:
    """A render under way for a deleted channel must not find another one under its ids."""

    def ids() -> set[tuple[str, int]]:
        tables = (t.channels, t.labels, t.files)
        return database.read_now(
            lambda c: {(table.name, row.id) for table in tables for row in c.execute(sa.select(table.c.id))}
        )

    make_channel(database)
    add(database, artifact())
    first = ids()
    database.write_now(lambda connection: channels.delete(connection, "chan", actor(), force=True))
    make_channel(database, "other")
    add(database, artifact(), channel="other")

    assert len(ids()) == len(first) == 3
    assert not ids() & first


def test_channels_are_listed_in_byte_order(database: Database) -> None:
    names = ["a_b", "a-b", "ab", "a.b", "_a", "0", "zz"]
    for name in names:
        make_channel(database, name)

    assert [channel.name for channel in database.read_now(channels.every)] == sorted(names)


def test_bad_names_are_told_as_what_they_are(database: Database) -> None:
    with pytest.raises(ChannelNameMalformed):
        make_channel(database, "Chan")
