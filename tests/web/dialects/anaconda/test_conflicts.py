"""The same bytes may come again; other bytes under a name are refused, also after a deletion. Not so in staging."""

from __future__ import annotations

from tests.support.anaconda import Client, Package
from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant

ALPHA = Package(build_conda("alpha"))
OTHER = Package(build_conda("alpha", files={"a": b"other"}))


def refusal(verb: str) -> dict[str, str]:
    """Return the sentence that the client shows."""
    return {
        "error": f"The channel 'chan' {verb} other bytes under noarch/alpha-1.0-0.conda: "
        f"sha256 {ALPHA.sha256} there, sha256 {OTHER.sha256} offered. "
        "Build again with a higher build number and upload that."
    }


async def test_the_same_bytes_are_taken_again(server: RunningServer, client: Client) -> None:
    assert [await client.upload(ALPHA), await client.upload(ALPHA)] == [[200, 201, 200]] * 2
    assert await server.shown() == ["alpha-1.0-0.conda"]


async def test_the_same_bytes_may_add_a_label(client: Client) -> None:
    await client.upload(ALPHA)
    assert await client.upload(ALPHA, "dev") == [200, 201, 200]
    assert await client.labels(ALPHA) == ["dev", "main"]


async def test_other_bytes_are_refused_before_they_are_sent(client: Client) -> None:
    await client.upload(ALPHA)
    answer = await client.stage(OTHER)
    assert (answer.status, answer.json) == (409, refusal("holds"))
    assert (await client.dist(ALPHA)).json["sha256"] == ALPHA.sha256
    assert list(client.server.services.instance.blobs.incoming.iterdir()) == []


async def test_other_bytes_that_were_not_announced_are_refused_where_they_go(client: Client) -> None:
    await client.upload(ALPHA)
    posted = await client.post(await client.stage(OTHER, sha256=None), OTHER)
    assert posted.status == 409
    assert b"<Code>Conflict</Code>" in posted.body


async def test_other_bytes_stay_refused_after_the_file_was_deleted(client: Client) -> None:
    await client.upload(ALPHA)
    assert (await client.ask("DELETE", f"/dist/{ALPHA.path}")).status == 200
    answer = await client.stage(OTHER)
    assert (answer.status, answer.json) == (409, refusal("held, before it was deleted,"))
    assert (await client.dist(ALPHA)).status == 404


async def test_the_same_bytes_come_back_after_the_file_was_deleted(
    server: RunningServer, client: Client
) -> None:
    await client.upload(ALPHA)
    await client.ask("DELETE", f"/dist/{ALPHA.path}")
    assert await client.upload(ALPHA, "dev") == [200, 201, 200]
    assert await client.labels(ALPHA) == ["dev"]
    assert [await server.shown(), await server.shown("dev")] == [[], ["alpha-1.0-0.conda"]]


async def test_who_commits_second_is_refused(client: Client) -> None:
    staged = [await client.stage(ALPHA), await client.stage(OTHER)]
    posted = [await client.post(staged[0], ALPHA), await client.post(staged[1], OTHER)]
    committed = [await client.commit(staged[0], ALPHA), await client.commit(staged[1], OTHER)]
    assert [answer.status for answer in (*staged, *posted, *committed)] == [200, 200, 201, 201, 200, 409]
    assert committed[1].json == refusal("holds")
    assert (await client.dist(ALPHA)).json["sha256"] == ALPHA.sha256


async def test_a_staging_channel_takes_other_bytes_as_another_candidate(
    server: RunningServer, client: Client
) -> None:
    server.channel("cf-staging", kind="staging")
    first, second = (Package(package.data, owner="cf-staging") for package in (ALPHA, OTHER))
    assert [await client.upload(first), await client.upload(second)] == [[200, 201, 200]] * 2
    assert (await client.dist(first)).json["sha256"] == OTHER.sha256
    assert (await client.ask("DELETE", f"/dist/{first.path}")).status == 200
    assert (await client.dist(first)).json["sha256"] == ALPHA.sha256


async def test_a_commit_that_was_lost_is_not_taken_for_one_of_another_candidate(
    server: RunningServer, client: Client
) -> None:
    server.channel("cf-staging", kind="staging")
    first, second = (Package(package.data, owner="cf-staging") for package in (ALPHA, OTHER))
    await client.upload(first)
    staged = await client.stage(second)
    assert (await client.commit(staged, second)).status == 404


async def test_a_locked_label_is_refused_and_not_as_a_conflict(server: RunningServer, client: Client) -> None:
    """rattler-build answers 409 with a deletion when it is told to force."""
    await client.upload(ALPHA, "dev")
    await client.upload(Package(build_conda("beta"), "beta-1.0-0.conda"), "rc")
    assert (await client.ask("POST", "/channels/chan/rc/lock")).status == 201
    answer = await client.stage(ALPHA, "rc")
    assert (answer.status, answer.json) == (
        403,
        {"error": "The label 'rc' of the channel 'chan' is locked. Unlock it first."},
    )
    assert await client.labels(ALPHA) == ["dev"]


async def test_a_force_that_cannot_succeed_needs_the_right_to_delete_to_do_harm(
    server: RunningServer, client: Client
) -> None:
    await client.upload(ALPHA)
    uploader = Client(server, server.token(grant("upload")))
    assert (await uploader.stage(OTHER)).status == 409
    assert (await uploader.ask("DELETE", f"/dist/{ALPHA.path}")).status == 403
    assert (await client.dist(ALPHA)).status == 200
