"""Rule: what has changed since a copy was accepted counts in the transaction that carries it out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from channeld.catalog import channels, feedstocks, labels, outputs, relabelling, tokens
from channeld.catalog import tables as t
from channeld.catalog.rejections import ChannelMissing
from channeld.catalog.relabelling import Relabelling
from channeld.catalog.selection import Selection
from channeld.promotion.asking import Asker, Extent
from tests.support.promotion import (
    FEEDSTOCK,
    PRODUCTION,
    STAGING,
    Bench,
    Build,
    errors,
    fates,
    production_of,
)
from tests.support.server import grant, make_token

ALPHA, BETA = Build("alpha"), Build("beta")
OTHER = Build("alpha", content="other")
OTHER_CONTENT = (
    f"output {ALPHA.key} exists on conda-forge with different content (sha256 {OTHER.sha256} there, "
    f"sha256 {ALPHA.sha256} on cf-staging)"
)
NOT_ALLOWED = f"output {ALPHA.key} not allowed for conda-forge/alpha-feedstock"

Meanwhile = Callable[[Bench], object]


def write(work: Callable[[Connection, Bench], object]) -> Meanwhile:
    return lambda stage: stage.instance.database.write_now(lambda connection: work(connection, stage))


def take_output(connection: Connection, stage: Bench) -> None:
    channel = channels.lock(connection, [PRODUCTION])[PRODUCTION]
    feedstock = feedstocks.get(connection, channel, FEEDSTOCK)
    outputs.remove_output(connection, channel, "alpha", feedstock, stage.actor())


CASES: dict[str, tuple[Meanwhile, str]] = {
    "other bytes came": (
        lambda stage: stage.upload(OTHER, channel=PRODUCTION),
        OTHER_CONTENT,
    ),
    "the label was locked": (
        write(lambda c, stage: labels.configure(c, PRODUCTION, "main", stage.actor(), locked=True)),
        f"output {ALPHA.key} was not copied: the label 'main' of the channel 'conda-forge' is locked",
    ),
    "the feedstock was archived": (
        write(lambda c, stage: feedstocks.archive(c, PRODUCTION, FEEDSTOCK, stage.actor())),
        "feedstock alpha-feedstock is archived",
    ),
    "the token was revoked": (
        write(lambda c, stage: c.execute(t.feedstock_tokens.delete())),
        "invalid feedstock token",
    ),
    "the token came to its end": (
        write(lambda c, stage: c.execute(t.feedstock_tokens.update().values(expires_ms=1))),
        "invalid feedstock token",
    ),
    "the output was taken away": (write(take_output), NOT_ALLOWED),
    "the channels were parted": (
        write(lambda c, stage: channels.configure(c, STAGING, {"promotes_to": ""}, stage.actor())),
        "cf-staging does not promote to conda-forge",
    ),
    "staging was deleted": (
        write(lambda c, stage: channels.delete(c, STAGING, stage.actor(), force=True)),
        "there is no channel cf-staging",
    ),
    "the bytes were lost": (
        lambda stage: stage.instance.blobs.path(ALPHA.sha256).unlink(),
        f"output {ALPHA.key} has lost its stored bytes",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_changed_meanwhile_counts(stage: Bench, case: str) -> None:
    meanwhile, reason = CASES[case]
    stage.upload(ALPHA)
    copy = stage.begin(stage.asked(ALPHA))
    assert stage.instance.copies.check(copy.id)
    meanwhile(stage)
    before = stage.holds(PRODUCTION)

    refused = stage.instance.copies.conclude(copy.id)

    assert refused is not None
    assert (refused.state, errors(refused)) == ("refused", (reason,))
    assert (stage.holds(PRODUCTION), stage.pins()) == (before, 0)
    if case != "staging was deleted":
        assert stage.staged() == {ALPHA.sha256}


def test_a_token_of_the_server_that_was_revoked_counts_too(stage: Bench) -> None:
    token = make_token(stage.instance.database, grant("upload")).split("-")[1]
    stage.upload(ALPHA)
    copy = stage.begin(stage.asked(ALPHA, repository="", asker=Asker(token, "", token=token)))
    stage.instance.database.write_now(lambda c: tokens.revoke(c, token, stage.actor()))
    refused = stage.instance.copies.carry_out(copy.id)
    assert refused is not None
    assert errors(refused) == ("invalid feedstock token",)


def test_of_a_set_only_the_survivors_of_the_last_decision_are_copied(stage: Bench) -> None:
    for build in (ALPHA, BETA):
        stage.upload(build)
    copy = stage.begin(stage.asked(ALPHA, BETA, extent=Extent.SURVIVORS))
    stage.upload(OTHER, channel=PRODUCTION)

    done = stage.instance.copies.carry_out(copy.id)

    assert done is not None
    assert (done.state, fates(done)) == ("partly", {ALPHA.key: "refused", BETA.key: "copied"})
    assert stage.holds(PRODUCTION) == production_of(OTHER) | production_of(BETA)
    assert stage.staged() == {ALPHA.sha256}


async def test_a_copy_goes_with_its_channel(stage: Bench) -> None:
    await asyncio.to_thread(stage.upload, ALPHA)
    copy = await asyncio.to_thread(stage.begin, stage.asked(ALPHA))
    database = stage.instance.database
    await database.write(lambda c: channels.delete(c, PRODUCTION, stage.actor(), force=True))
    with pytest.raises(ChannelMissing):
        await stage.instance.copies.carried_out(copy)
    assert stage.pins() == 0


def test_the_same_bytes_that_came_meanwhile_are_no_error(stage: Bench) -> None:
    stage.upload(ALPHA)
    copy = stage.begin(stage.asked(ALPHA))
    stage.upload(ALPHA, channel=PRODUCTION)
    done = stage.instance.copies.carry_out(copy.id)
    assert done is not None
    assert (done.state, fates(done)) == ("done", {ALPHA.key: "there"})
    assert stage.staged() == set()


def test_what_was_there_and_is_deleted_meanwhile_is_not_brought_back(stage: Bench) -> None:
    """Nobody has checked its bytes: it was to stay as it was."""
    for build in (ALPHA, BETA):
        stage.upload(build)
    stage.copy(stage.asked(ALPHA))
    copy = stage.begin(stage.asked(ALPHA, BETA))
    stage.delete(ALPHA, PRODUCTION)

    refused = stage.instance.copies.carry_out(copy.id)

    assert refused is not None
    assert (refused.state, fates(refused)) == ("refused", {ALPHA.key: "refused", BETA.key: "withheld"})
    assert stage.holds(PRODUCTION) == {}


def test_what_lost_its_label_meanwhile_is_not_given_it_unchecked(stage: Bench) -> None:
    for build in (ALPHA, BETA):
        stage.upload(build)
    stage.copy(stage.asked(ALPHA))
    stage.upload(ALPHA)
    copy = stage.begin(stage.asked(ALPHA, BETA, extent=Extent.SURVIVORS))
    asked = Relabelling((Selection(filename=ALPHA.filename),), remove=("main",))
    stage.instance.database.write_now(
        lambda c: relabelling.apply(c, PRODUCTION, asked, stage.actor(), lambda changes: None)
    )
    done = stage.instance.copies.carry_out(copy.id)
    assert done is not None
    assert fates(done) == {ALPHA.key: "refused", BETA.key: "copied"}
    assert stage.holds(PRODUCTION)[ALPHA.key] == (ALPHA.sha256, ())
