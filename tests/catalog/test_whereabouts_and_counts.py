"""The catalog tells where a file is, how much there is, and what waits to be published."""

from __future__ import annotations

from sqlalchemy import Connection

from channeld.catalog import census, channels, selection, whereabouts
from channeld.catalog.census import Counts, DirtyView
from channeld.catalog.database import Database
from channeld.catalog.whereabouts import Place
from tests.support.catalog import CHANNEL, NOW, add, artifact, make_channel, publish

ALPHA = artifact("alpha")


def places(database: Database) -> list[Place]:
    def look(connection: Connection) -> list[Place]:
        channel = channels.get(connection, CHANNEL)
        file = selection.get(connection, channel, "noarch", ALPHA.filename)
        return whereabouts.places_of(connection, channel, file)

    return database.read_now(look)


def test_a_file_is_live_label_by_label(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA)
    assert places(database) == [Place("main", NOW, live=False, pending=True, revision=0, generation=0)]
    publish(database)
    main = Place("main", NOW, live=True, pending=False, revision=2, generation=1)
    assert places(database) == [main]
    add(database, ALPHA, "dev", now_ms=NOW + 1)
    dev = Place("dev", NOW + 1, live=False, pending=True, revision=0, generation=0)
    assert places(database) == [dev, main]


def test_everything_is_counted_once(database: Database) -> None:
    make_channel(database)
    make_channel(database, "other")
    for channel in (CHANNEL, "other"):
        add(database, ALPHA, "main", "dev", channel=channel)
    counted = database.read_now(lambda connection: census.counts(connection, NOW))
    assert counted == Counts(channels=2, labels=4, files=2, artifacts=1, tokens=0)


def test_what_waits_longest_comes_first(database: Database) -> None:
    make_channel(database)
    add(database, artifact("beta"), "dev", now_ms=NOW + 1)
    add(database, ALPHA, now_ms=NOW)
    add(database, artifact("gamma"), now_ms=NOW + 2)
    waiting = [
        DirtyView(CHANNEL, "main", "noarch", 2, NOW),
        DirtyView(CHANNEL, "dev", "noarch", 1, NOW + 1),
    ]
    assert database.read_now(lambda connection: census.dirty_views(connection, 10)) == waiting
    assert database.read_now(lambda connection: census.dirty_views(connection, 1)) == waiting[:1]
