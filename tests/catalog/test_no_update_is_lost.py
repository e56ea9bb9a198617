"""Rule: a change that is committed while a render is under way stays dirty, and is rendered next."""

from __future__ import annotations

import pytest

from channeld.catalog import channels, labels, viewrows, views
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database
from channeld.catalog.views import DirtyWork, ViewKey, ViewWork
from tests.support.catalog import (
    NOW,
    actor,
    add,
    artifact,
    dump,
    flip,
    flips_of,
    generation_of,
    make_channel,
    marks,
    publish,
    read_work,
    revision_of,
    rows,
    take_lease,
    view_key,
)

ALPHA, BETA = artifact("alpha"), artifact("beta")


def test_work_says_what_changed_since_when(database: Database) -> None:
    channel = make_channel(database)
    add(database, ALPHA, now_ms=NOW + 5)
    add(database, BETA, now_ms=NOW + 3)
    add(database, artifact("gamma", subdir="linux-64"), "dev", now_ms=NOW + 9)

    work = read_work(database)

    assert work is not None
    dev, main = (database.read_now(lambda c, name=name: view_key(c, name)) for name in ("dev", "main"))  # type: ignore[misc]
    gamma = ViewKey(channel.id, dev.label_id, "linux-64", "chan", "dev")
    assert work == DirtyWork(
        channel.id,
        "chan",
        revision_of(database),
        work.dirty_ids,
        NOW + 3,
        (
            ViewWork(gamma, frozenset({"gamma-1.0-0.conda"}), frozenset({"gamma"})),
            ViewWork(main, frozenset({ALPHA.filename, BETA.filename}), frozenset({"alpha", "beta"})),
        ),
    )
    assert len(work.dirty_ids) == 3


def test_one_mark_for_the_whole_view_covers_the_others(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA)
    database.write_now(lambda c: labels.configure(c, "chan", "main", actor(), relations={"base": "../x"}))

    work = read_work(database)

    assert work is not None
    assert [(one.filenames, one.names) for one in work.views] == [(None, frozenset({"alpha"}))]


def test_a_change_during_the_render_stays_dirty_and_is_rendered_next(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA)
    lease = take_lease(database)

    with database.snapshot() as connection:
        work = views.dirty_work(connection, channels.get(connection, "chan").id)
        assert work is not None
        add(database, BETA)  # committed while the render is under way
        key = work.views[0].key
        rendered = [row.filename for row in viewrows.view_rows(connection, key)]
    flip(database, work, flips_of(database, work), lease.epoch)

    assert rendered == [ALPHA.filename]
    assert marks(database) == [("main", "noarch", BETA.filename)]
    after = publish(database)
    assert after is not None
    assert (after.revision, [row.filename for row in rows(database)]) == (3, [ALPHA.filename, BETA.filename])
    assert marks(database) == []


def test_the_same_file_changed_again_during_the_render_stays_dirty(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA)
    lease, work = take_lease(database), read_work(database)
    assert work is not None

    add(database, ALPHA, "broken")
    flip(database, work, flips_of(database, work), lease.epoch)

    assert marks(database) == [("broken", "noarch", ALPHA.filename), ("main", "noarch", ALPHA.filename)]


def test_a_generation_tells_the_revision_that_it_shows(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA)
    lease, work = take_lease(database), read_work(database)
    assert work is not None
    add(database, BETA)

    numbers = flip(database, work, flips_of(database, work, b"first"), lease.epoch, NOW + 1)

    generation = generation_of(database)
    assert generation is not None
    assert generation == views.Generation(generation.view_id, 1, 2, NOW + 1, b"first")
    assert numbers == {work.views[0].key: 1}


def test_the_generation_before_is_kept_and_retired(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA)
    publish(database)
    add(database, BETA)
    publish(database, now_ms=NOW + 8)

    kept = [(row[1], row[2], row[5]) for row in dump(database)["generations"]]
    assert kept == [(1, 2, NOW + 8), (2, 3, None)]


def test_a_view_of_the_work_that_is_not_flipped_is_an_error(database: Database) -> None:
    """Its marks would be deleted, and it would never be rendered."""
    make_channel(database)
    add(database, ALPHA, "main", "dev")
    lease, work = take_lease(database), read_work(database)
    assert work is not None
    before = dump(database)

    with pytest.raises(ValueError, match="chan/main/noarch"):
        flip(database, work, flips_of(database, work)[:1], lease.epoch)
    assert dump(database) == before


def test_a_view_that_came_out_unchanged_needs_no_generation(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA, "main", "dev")
    lease, work = take_lease(database), read_work(database)
    assert work is not None
    dev, main = flips_of(database, work)

    database.write_now(lambda c: views.flip(c, work, [dev], lease.epoch, NOW, unchanged=[main.key]))

    assert generation_of(database, "dev") is not None
    assert generation_of(database, "main") is None
    assert marks(database) == []


def test_channels_are_rendered_in_the_order_in_which_they_wait(database: Database) -> None:
    for name in ("a", "b", "c"):
        make_channel(database, name, ChannelSettings())
    for name in ("c", "a", "c"):
        add(database, artifact(f"p{len(marks(database))}"), channel=name)

    assert [name for _, name in database.read_now(views.dirty_channels)] == ["c", "a"]
    assert read_work(database, "b") is None
