"""Rule: a label is created, locked, related and dropped; dropping it loses nothing that its files need later."""

from __future__ import annotations

import pytest

from channeld.catalog import channels, labels
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database
from channeld.catalog.labels import Label
from channeld.catalog.rejections import LabelLocked, LabelMissing, LabelPermanent
from channeld.formats.rejections import LabelEndsInSubdir
from tests.support.catalog import (
    NOW,
    UNCHANGED,
    Observed,
    actor,
    add,
    artifact,
    dump,
    entered,
    generation_of,
    make_channel,
    observe,
    publish,
    rows,
    shown,
)

ALPHA = artifact()


def every(database: Database) -> list[Label]:
    return database.read_now(lambda c: labels.every(c, channels.get(c, "chan")))


def test_a_label_is_created_once(database: Database) -> None:
    channel = make_channel(database)

    seen = observe(database, lambda c: labels.create(c, "chan", "dev/x", actor()))
    again = observe(database, lambda c: labels.create(c, "chan", "dev/x", actor(NOW + 1)))

    assert seen == Observed(1, [], [("label.create", "dev/x")])
    assert again == UNCHANGED
    created = every(database)[0]
    assert created == Label(created.id, channel.id, "dev/x", False, {}, NOW)


def test_labels_are_listed_in_byte_order(database: Database) -> None:
    make_channel(database)
    names = ["a_b", "a-b", "ab", "A", "zz", "a/b"]
    for name in names:
        database.write_now(lambda c, name=name: labels.create(c, "chan", name, actor()))  # type: ignore[misc]

    assert [label.name for label in every(database)] == sorted([*names, "main"])


def test_a_label_cannot_end_in_one_of_the_channels_own_subdirs(database: Database) -> None:
    make_channel(database, "chan", ChannelSettings(subdirs=("plan9-mips",)))
    before = dump(database)

    for name in ("x/plan9-mips", "x/linux-64"):
        with pytest.raises(LabelEndsInSubdir):
            database.write_now(lambda c, name=name: labels.create(c, "chan", name, actor()))  # type: ignore[misc]
    assert dump(database) == before


def test_relations_are_rendered_into_every_view(database: Database) -> None:
    make_channel(database, "chan", ChannelSettings(subdirs=("linux-64",)))
    add(database, artifact("gamma", subdir="osx-64"))

    relate = observe(
        database, lambda c: labels.configure(c, "chan", "main", actor(), relations={"base": "../x"})
    )
    again = observe(
        database, lambda c: labels.configure(c, "chan", "main", actor(), relations={"base": "../x"})
    )
    lock = observe(database, lambda c: labels.configure(c, "chan", "main", actor(), locked=True))

    whole = [("main", "linux-64", ""), ("main", "noarch", ""), ("main", "osx-64", "")]
    assert relate == Observed(1, whole, [("label.configure", "main")])
    assert again == UNCHANGED
    assert lock == Observed(1, [], [("label.configure", "main")])
    label = every(database)[0]
    assert (label.locked, label.relations) == (True, {"base": "../x"})
    assert database.read_now(lambda c: labels.relations_of(c, label.id)) == {"base": "../x"}


def test_a_dropped_label_is_not_there_any_more_and_its_files_stay(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA, "main", "dev")

    seen = observe(database, lambda c: labels.delete(c, "chan", "dev", actor()))

    assert seen == Observed(1, [("dev", "noarch", "")], [("label.delete", "dev")])
    assert [label.name for label in every(database)] == ["main"]
    with pytest.raises(LabelMissing):
        shown(database, "dev")
    assert shown(database, "main") == [ALPHA.filename]


def test_a_label_that_comes_back_is_empty_and_knows_when_files_entered_it(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA, "main", "dev")
    publish(database)
    database.write_now(lambda c: labels.configure(c, "chan", "dev", actor(), relations={"base": "../x"}))
    database.write_now(lambda c: labels.delete(c, "chan", "dev", actor()))
    publish(database)

    seen = observe(database, lambda c: labels.create(c, "chan", "dev", actor(NOW + 7)))

    assert seen == Observed(1, [], [("label.create", "dev")])
    dev = every(database)[0]
    assert (dev.relations, dev.created_ms) == ({}, NOW + 7)
    assert shown(database, "dev") == []
    generation = generation_of(database, "dev")
    assert generation is not None
    assert generation.number == 2  # the one that was rendered when the label was dropped: nothing in it
    add(database, ALPHA, "dev", now_ms=NOW + 9)
    assert entered(database, "dev") == {ALPHA.filename: NOW}


def test_main_cannot_be_dropped(database: Database) -> None:
    make_channel(database)
    before = dump(database)

    with pytest.raises(LabelPermanent):
        database.write_now(lambda c: labels.delete(c, "chan", "main", actor()))
    assert dump(database) == before


def test_broken_cannot_be_dropped_while_it_hides_files(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA, "main", "broken")
    before = dump(database)

    with pytest.raises(LabelPermanent):
        database.write_now(lambda c: labels.delete(c, "chan", "broken", actor()))
    assert dump(database) == before
    assert [row.shown for row in rows(database)] == [False]


def test_a_locked_label_cannot_be_dropped(database: Database) -> None:
    make_channel(database)
    database.write_now(lambda c: labels.create(c, "chan", "dev", actor()))
    database.write_now(lambda c: labels.configure(c, "chan", "dev", actor(), locked=True))
    before = dump(database)

    with pytest.raises(LabelLocked):
        database.write_now(lambda c: labels.delete(c, "chan", "dev", actor()))
    with pytest.raises(LabelMissing):
        database.write_now(lambda c: labels.delete(c, "chan", "nothing", actor()))
    assert dump(database) == before
