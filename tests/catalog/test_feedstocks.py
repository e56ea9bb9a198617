"""Rule: a feedstock is registered once, archived and brought back, and found by its name without -feedstock."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from channeld.catalog import channels, feedstocks
from channeld.catalog import tables as t
from channeld.catalog.database import Database
from channeld.catalog.feedstock_rejections import FeedstockMissing, FeedstockNameMalformed
from channeld.catalog.feedstocks import Feedstock
from channeld.catalog.rejections import ChannelMissing
from tests.support.catalog import NOW, UNCHANGED, Observed, actor, dump, make_channel, observe

LATER = NOW + 1000


@pytest.fixture
def chan(database: Database) -> Database:
    make_channel(database)
    return database


def register(database: Database, name: str, channel: str = "chan") -> tuple[Feedstock, bool]:
    return database.write_now(lambda c: feedstocks.register(c, channel, name, actor()))


def found(database: Database, name: str, channel: str = "chan") -> Feedstock | None:
    return database.read_now(lambda c: feedstocks.find(c, channels.get(c, channel).id, name))


def test_a_feedstock_is_registered(chan: Database) -> None:
    seen = observe(chan, lambda c: feedstocks.register(c, "chan", "numpy", actor()))
    assert seen == Observed(1, [], [("feedstock.register", "numpy")])
    numpy = found(chan, "numpy")
    assert numpy is not None
    assert (numpy.name, numpy.created_ms, numpy.archived_ms) == ("numpy", NOW, None)


def test_registering_again_changes_nothing(chan: Database) -> None:
    first, new = register(chan, "numpy")
    before = dump(chan)
    assert new
    assert register(chan, "numpy") == (first, False)
    assert dump(chan) == before


def test_each_channel_has_feedstocks_of_its_own(chan: Database) -> None:
    make_channel(chan, "other")
    register(chan, "numpy")
    assert found(chan, "numpy", "other") is None
    assert register(chan, "numpy", "other")[1]


def test_upper_and_lower_case_differ(chan: Database) -> None:
    register(chan, "R")
    assert found(chan, "r") is None


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../numpy", "a/b", "/etc/passwd", "a\\b", "a b", "a%2Fb", "a\n", "ä", "-x", "__x", "x" * 65,
     "numpy-feedstock", "-feedstock", "CON:", "~", "$(id)"],
)  # fmt: skip
def test_what_is_no_name_is_refused_and_nothing_stored(chan: Database, name: str) -> None:
    before = dump(chan)
    with pytest.raises(FeedstockNameMalformed):
        register(chan, name)
    assert dump(chan) == before


@pytest.mark.parametrize(
    "name", ["_libgcc_mutex", "gfortran_impl_osx-64", "7zip", "r-base", "feedstock", "R.utils"]
)
def test_names_that_conda_forge_has_are_taken(chan: Database, name: str) -> None:
    assert register(chan, name)[0].name == name


def test_a_feedstock_needs_its_channel(database: Database) -> None:
    with pytest.raises(ChannelMissing):
        register(database, "numpy", "nowhere")


def test_archiving_and_back_are_changes_of_their_own(chan: Database) -> None:
    made, _ = register(chan, "numpy")
    archived = observe(chan, lambda c: feedstocks.archive(c, "chan", "numpy", actor(LATER)))
    assert archived == Observed(1, [], [("feedstock.archive", "numpy")])
    assert found(chan, "numpy") == Feedstock(made.id, made.channel_id, "numpy", NOW, LATER)
    assert observe(chan, lambda c: feedstocks.archive(c, "chan", "numpy", actor(LATER + 1))) == UNCHANGED

    back = observe(chan, lambda c: feedstocks.unarchive(c, "chan", "numpy", actor(LATER)))
    assert back == Observed(1, [], [("feedstock.unarchive", "numpy")])
    assert found(chan, "numpy") == made
    assert observe(chan, lambda c: feedstocks.unarchive(c, "chan", "numpy", actor(LATER))) == UNCHANGED


def test_what_is_not_there_is_not_archived(chan: Database) -> None:
    before = dump(chan)
    with pytest.raises(FeedstockMissing):
        chan.write_now(lambda c: feedstocks.archive(c, "chan", "numpy", actor()))
    assert dump(chan) == before


def test_feedstocks_are_listed_by_name_in_pages(chan: Database) -> None:
    for name in ("c", "B", "a", "d"):
        register(chan, name)
    chan.write_now(lambda c: feedstocks.archive(c, "chan", "a", actor()))

    def names(limit: int, after: str = "", *, archived: bool | None = None) -> tuple[list[str], str]:
        listed, following = chan.read_now(
            lambda c: feedstocks.page(c, channels.get(c, "chan").id, limit, after, archived=archived)
        )
        return [each.name for each in listed], following

    assert names(3) == (["B", "a", "c"], "c")
    assert names(3, "c") == (["d"], "")
    assert names(4) == (["B", "a", "c", "d"], "")
    assert names(9, archived=True) == (["a"], "")
    assert names(2, archived=False) == (["B", "c"], "c")


def test_several_are_looked_up_at_once(chan: Database) -> None:
    names = [f"f{number}" for number in range(1201)]
    chan.write_now(lambda c: feedstocks.ensure(c, channels.lock(c, ["chan"])["chan"], names, actor(), 7))
    found_names = chan.read_now(
        lambda c: feedstocks.find_each(c, channels.get(c, "chan").id, ["f0", "f1200", "nobody"])
    )
    assert sorted(found_names) == ["f0", "f1200"]


def test_feedstocks_go_with_their_channel(chan: Database) -> None:
    register(chan, "numpy")
    chan.write_now(lambda c: channels.delete(c, "chan", actor()))
    assert chan.read_now(lambda c: c.execute(sa.select(t.feedstocks)).all()) == []
