"""Rule: a channel is live up to a revision that was seen, with nothing before it waiting; it tells no more."""

from __future__ import annotations

from functools import partial

import pytest

from channeld.catalog.database import Database
from channeld.catalog.liveness import Liveness, look
from tests.support.catalog import add, artifact, make_channel, publish


@pytest.mark.parametrize(
    ("seen", "revision", "live"),
    [
        (Liveness(3, None), 3, True),
        (Liveness(3, None), 2, True),
        (Liveness(3, None), 4, False),  # the look is older than the change
        (Liveness(5, 4), 3, True),
        (Liveness(5, 4), 4, False),
        (Liveness(5, 4), 5, False),
        (Liveness(0, None), 1, False),  # there is no such channel
    ],
)
def test_a_look_tells_of_what_it_saw(seen: Liveness, revision: int, live: bool) -> None:
    assert seen.covers(revision) is live


def test_a_change_waits_until_it_is_published(database: Database) -> None:
    channel = make_channel(database)
    see = partial(look, channel_id=channel.id)
    before = database.read_now(see)
    revision = add(database, artifact()).revision
    waiting = database.read_now(see)
    assert not before.covers(revision)
    assert not waiting.covers(revision)
    assert waiting == Liveness(revision, waiting.oldest)

    publish(database)
    assert database.read_now(see) == Liveness(revision, None)
    assert database.read_now(partial(look, channel_id=channel.id + 1)) == Liveness(0, None)
