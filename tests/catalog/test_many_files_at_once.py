"""Adding or deleting many files at once gives the rows that doing it one by one gives; of the change there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import audit, bulk, channels, files, labels
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor
from channeld.catalog.bulk import Arrival, Marking
from channeld.catalog.candidates import candidates_for_copy
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database, open_database
from channeld.catalog.files import Artifact
from channeld.catalog.rejections import FileConflict, LabelLocked

NOW = 1_700_000_000_000
ACTOR = Actor("import", "local", NOW)
ROWS = (t.artifacts, t.channel_facts, t.files, t.file_labels, t.labels)


def artifact(name: str, *, content: str = "", subdir: str = "noarch", version: str = "1.0") -> Artifact:
    seed = f"{name}-{version}-{content}"
    return Artifact(
        sha256=f"{sum(map(ord, seed)):08x}{seed.encode().hex():0>56}"[-64:],
        md5=f"{seed.encode().hex():0>32}"[-32:],
        size=100 + len(seed),
        filename=f"{name}-{version}-0.conda",
        subdir=subdir,
        name=name,
        version=version,
        build="0",
        build_number=0,
        timestamp_ms=5,
        section="packages.conda",
        record=b"{}",
        run_exports=b"{}",
        facts=seed.encode(),
    )


def some(count: int) -> list[Arrival]:
    return [
        Arrival(artifact(f"alpha{number}", subdir=("noarch", "linux-64")[number % 2]), NOW - number)
        for number in range(count)
    ]


def make_channels(connection: Connection, *names: str, kind: str = "standard") -> None:
    for name in names:
        settings = ChannelSettings(kind="staging" if kind == "staging" else "standard")
        channels.create(connection, name, settings, ACTOR)


def rows(connection: Connection, table: sa.Table) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))]


def one_by_one(connection: Connection, arrivals: Sequence[Arrival], names: Sequence[str]) -> None:
    for one in arrivals:
        files.add(connection, "one", one.artifact, names, ACTOR, indexed_ms=one.indexed_ms)


@pytest.mark.parametrize("kind", ["standard", "staging"])
@pytest.mark.parametrize("names", [["main"], ["main", "dev"], ["broken", "main"]])
def test_the_rows_are_those_of_adding_one_by_one(
    database: Database, tmp_path: Any, kind: str, names: list[str]
) -> None:
    from channeld.catalog import schema

    other = open_database(f"sqlite:///{tmp_path / 'other.sqlite'}")
    schema.upgrade(other)
    try:
        for each in (database, other):
            each.write_now(lambda connection: make_channels(connection, "one", kind=kind))
        arrivals = some(7)
        other.write_now(lambda connection: one_by_one(connection, arrivals, names))
        landings = database.write_now(
            lambda connection: bulk.add_many(connection, "one", arrivals, names, ACTOR, Marking.EACH)
        )
        assert landings == ["created"] * 7
        with database.snapshot() as many, other.snapshot() as single:
            bases = {
                table.name: _first_id(many, table) - _first_id(single, table) for table in (*ROWS, t.channels)
            }
            for table in ROWS:
                assert _shifted(rows(single, table), table, bases) == rows(many, table)
            mine = [tuple(row) for row in many.execute(_dirty())]
            assert sorted(mine) == sorted(tuple(row) for row in single.execute(_dirty()))
    finally:
        other.close()


def _first_id(connection: Connection, table: sa.Table) -> int:
    """Ids of PostgreSQL go on from the test before."""
    column = table.c.get("id", table.c.get("artifact_id", table.c.get("file_id")))
    assert column is not None
    return int(connection.execute(sa.select(sa.func.min(column))).scalar_one())


def _shifted(found: list[tuple[Any, ...]], table: sa.Table, bases: dict[str, int]) -> list[tuple[Any, ...]]:
    of = {
        "artifact_id": "artifacts",
        "file_id": "files",
        "label_id": "labels",
        "channel_id": "channels",
        "id": table.name,
    }
    shifted = []
    for row in found:
        values = dict(zip(table.c.keys(), row, strict=True))
        for column, target in of.items():
            if column in values:
                values[column] += bases[target]
        shifted.append(tuple(values.values()))
    return shifted


def _dirty() -> sa.Select[Any]:
    return sa.select(t.dirty.c.subdir, t.dirty.c.filename, t.dirty.c.name, t.dirty.c.since_ms)


def test_a_batch_is_one_revision_and_one_audit_row(database: Database) -> None:
    database.write_now(lambda connection: make_channels(connection, "one"))
    before = database.read_now(lambda connection: channels.get(connection, "one")).revision
    database.write_now(
        lambda connection: bulk.add_many(connection, "one", some(5), ["main"], ACTOR, Marking.EACH)
    )
    with database.snapshot() as connection:
        assert channels.get(connection, "one").revision == before + 1
        last, created = audit.newest(connection)
        assert (last.action, last.subject, last.revision) == ("files.add", "", before + 1)
        assert last.after == '{"bytes":555,"files":{"linux-64":2,"noarch":3},"labels":["main"]}'
        assert created.action == "channel.create"


def test_whole_marking_marks_each_touched_view_once(database: Database) -> None:
    database.write_now(lambda connection: make_channels(connection, "one"))
    database.write_now(
        lambda connection: bulk.add_many(connection, "one", some(5), ["main", "dev"], ACTOR, Marking.WHOLE)
    )
    with database.snapshot() as connection:
        query = sa.select(t.labels.c.name, t.dirty.c.subdir, t.dirty.c.filename, t.dirty.c.name).join(
            t.labels, t.labels.c.id == t.dirty.c.label_id
        )
        assert sorted(tuple(row) for row in connection.execute(query)) == [
            ("dev", "linux-64", "", ""),
            ("dev", "noarch", "", ""),
            ("main", "linux-64", "", ""),
            ("main", "noarch", "", ""),
        ]


def test_the_same_again_changes_nothing(database: Database) -> None:
    arrivals = some(5)

    def add(connection: Connection) -> list[bulk.Landing]:
        return bulk.add_many(connection, "one", arrivals, ["main"], ACTOR, Marking.EACH)

    database.write_now(lambda connection: make_channels(connection, "one"))
    database.write_now(add)
    with database.snapshot() as connection:
        before = {table.name: rows(connection, table) for table in (*ROWS, t.dirty, t.audit, t.channels)}
    assert database.write_now(add) == ["unchanged"] * 5
    with database.snapshot() as connection:
        assert {
            table.name: rows(connection, table) for table in (*ROWS, t.dirty, t.audit, t.channels)
        } == before


def test_conflicts_restored_and_relabelled_files_are_told_and_the_rest_is_added(database: Database) -> None:
    def prepare(connection: Connection) -> None:
        make_channels(connection, "one")
        for name in ("taken", "gone", "there"):
            files.add(connection, "one", artifact(name), ["main"], ACTOR)
        files.delete(connection, "one", "noarch", "gone-1.0-0.conda", ACTOR)

    database.write_now(prepare)
    arrivals = [
        Arrival(artifact("new")),
        Arrival(artifact("taken", content="other")),
        Arrival(artifact("gone")),
        Arrival(artifact("there")),
    ]
    landings = database.write_now(
        lambda connection: bulk.add_many(connection, "one", arrivals, ["main", "dev"], ACTOR, Marking.EACH)
    )
    conflict = landings.pop(1)
    assert landings == ["created", "restored", "relabelled"]
    assert isinstance(conflict, FileConflict)
    assert (conflict.stored_sha256, conflict.offered_sha256) == (
        artifact("taken").sha256,
        artifact("taken", content="other").sha256,
    )


def test_one_name_twice_in_a_batch_is_a_conflict_as_it_is_one_by_one(database: Database) -> None:
    database.write_now(lambda connection: make_channels(connection, "one"))
    twice = [Arrival(artifact("a")), Arrival(artifact("a")), Arrival(artifact("a", content="other"))]
    landings = database.write_now(
        lambda connection: bulk.add_many(connection, "one", twice, ["main"], ACTOR, Marking.EACH)
    )
    assert landings[:2] == ["created", "unchanged"]
    assert isinstance(landings[2], FileConflict)


def test_bytes_that_were_given_up_for_removal_are_wanted_again(database: Database) -> None:
    stored = artifact("a")

    def prepare(connection: Connection) -> None:
        make_channels(connection, "one")
        files.store_artifact(connection, stored, NOW - 10)
        connection.execute(t.artifacts.update().values(swept_ms=NOW - 5))

    database.write_now(prepare)
    database.write_now(
        lambda connection: bulk.add_many(connection, "one", [Arrival(stored)], ["main"], ACTOR, Marking.EACH)
    )
    with database.snapshot() as connection:
        row = connection.execute(sa.select(t.artifacts.c.swept_ms, t.artifacts.c.stored_ms)).one()
        assert tuple(row) == (None, NOW)


def test_a_locked_label_stops_the_whole_batch(database: Database) -> None:
    def prepare(connection: Connection) -> None:
        make_channels(connection, "one")
        connection.execute(t.labels.update().values(locked=True))

    database.write_now(prepare)
    with pytest.raises(LabelLocked):
        database.write_now(
            lambda connection: bulk.add_many(connection, "one", some(3), ["main"], ACTOR, Marking.EACH)
        )
    with database.snapshot() as connection:
        assert [rows(connection, table) for table in (t.artifacts, t.files, t.file_labels, t.dirty)] == [
            []
        ] * 4


def test_deleting_many_gives_the_rows_of_deleting_one_by_one(database: Database) -> None:
    arrivals = some(6)

    def prepare(connection: Connection) -> None:
        make_channels(connection, "one", "many")
        for channel in ("one", "many"):
            bulk.add_many(connection, channel, arrivals, ["main", "dev"], ACTOR, Marking.EACH)
        connection.execute(t.dirty.delete())

    def delete(connection: Connection) -> int:
        channel = channels.get(connection, "many")
        gone = bulk.live_files(connection, channel, "noarch", [a.artifact.filename for a in arrivals])
        return bulk.delete_many(connection, "many", gone, ACTOR, Marking.EACH)

    database.write_now(prepare)
    for one in arrivals[::2]:
        database.write_now(partial(_delete_one, filename=one.artifact.filename))
    assert database.write_now(delete) == database.read_now(lambda c: channels.get(c, "many")).revision
    with database.snapshot() as connection:
        assert _seen(connection, "one") == _seen(connection, "many")
        last = audit.newest(connection, limit=1)[0]
        assert (last.action, last.before) == (
            "files.delete",
            '{"files":{"noarch":3},"labels":["dev","main"]}',
        )
    assert database.write_now(lambda c: bulk.delete_many(c, "many", [], ACTOR, Marking.EACH)) == 0


def test_candidates_are_hidden_one_by_one_and_live_longer_when_they_come_again(database: Database) -> None:
    arrivals = some(2)
    later = replace(ACTOR, now_ms=ACTOR.now_ms + 1)

    def work(connection: Connection) -> None:
        make_channels(connection, "stage", kind="staging")
        channel = channels.get(connection, "stage")
        for actor in (ACTOR, later):
            bulk.add_many(connection, "stage", arrivals, ["main"], actor, Marking.EACH)
        times = connection.execute(sa.select(t.files.c.uploaded_ms)).scalars().all()
        assert times == [later.now_ms] * 2
        names = [one.artifact.filename for one in arrivals]
        gone = [
            one
            for subdir in ("linux-64", "noarch")
            for one in bulk.live_files(connection, channel, subdir, names)
        ]
        revision = bulk.delete_many(connection, "stage", gone, later, Marking.EACH)
        assert revision == channels.get(connection, "stage").revision
        hidden = [
            (one.labels, one.hidden)
            for arrival in arrivals
            for one in candidates_for_copy(
                connection, channel, arrival.artifact.subdir, arrival.artifact.filename
            )
        ]
        assert hidden == [(("main",), True)] * 2
        assert {row.action for row in audit.newest(connection, limit=2)} == {"file.hide"}

    database.write_now(work)


def _delete_one(connection: Connection, filename: str) -> None:
    files.delete(connection, "one", "noarch", filename, ACTOR)


def _seen(connection: Connection, channel_name: str) -> list[list[tuple[Any, ...]]]:
    channel = channels.get(connection, channel_name)
    label_names = {label.id: label.name for label in labels.every(connection, channel)}
    held = sa.select(t.files.c.subdir, t.files.c.filename, t.files.c.deleted_ms).where(
        t.files.c.channel_id == channel.id
    )
    under = sa.select(t.file_labels).where(t.file_labels.c.label_id.in_(label_names))
    dirty = sa.select(t.dirty).where(t.dirty.c.channel_id == channel.id)
    return [
        sorted(tuple(row) for row in connection.execute(held)),
        sorted(
            (label_names[row.label_id], row.filename, row.indexed_ms, row.active)
            for row in connection.execute(under)
        ),
        sorted((label_names[row.label_id], row.filename, row.name) for row in connection.execute(dirty)),
    ]
