"""The id of a staged upload lets its bytes in: once, for a while, and with no power to publish them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from channeld.blobs import durable
from channeld.intake.pending import ANNOUNCED_SECONDS, RECEIVED_SECONDS
from channeld.intake.sweeping import UNNAMED_SECONDS, Sweeper
from channeld.web.server import clear_leftovers
from tests.support.anaconda import Client, Package
from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant, make_token, running_server

ALPHA = Package(build_conda("alpha"))
OTHER = Package(build_conda("alpha", files={"a": b"other"}))
NOBODY = "There is no upload {!r} under way. Begin the upload again."


class MovedClock:
    """A clock that stands where the test put it."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def now_ms(self) -> int:
        return round(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds


def pending(server: RunningServer) -> list[str]:
    """List what lies between the steps, without the ids."""
    return sorted(path.name.partition(".")[2] for path in server.services.instance.blobs.incoming.iterdir())


def blobs(server: RunningServer) -> list[str]:
    """List the hashes that are in the store."""
    root = server.services.instance.blobs.root
    return sorted(path.name for path in root.glob("??/*"))


async def test_it_can_be_used_once(server: RunningServer, client: Client) -> None:
    staged = await client.stage(ALPHA)
    statuses = [(await client.post(staged, ALPHA)).status for _ in range(2)]
    assert statuses == [201, 404]
    assert (await client.commit(staged, ALPHA)).status == 200


async def test_it_is_used_up_by_bytes_that_are_refused(client: Client) -> None:
    staged = await client.stage(ALPHA)
    statuses = [(await client.post(staged, package)).status for package in (OTHER, ALPHA)]
    assert statuses == [422, 404]
    assert pending(client.server) == []


@pytest.mark.parametrize("upload_id", ["0" * 40, "x", "0" * 39 + "/", "..", "%2e%2e%2f" + "0" * 30])
async def test_an_id_that_nobody_was_given_is_nobodys(client: Client, upload_id: str) -> None:
    answer = await client.send(f"{client.server.url}/upload/{upload_id}", b"")
    assert (answer.status, answer.headers["Content-Type"]) in [
        (404, "application/xml; charset=utf-8"),
        (405, "application/problem+json"),  # the URL is another one
    ]


async def test_nothing_is_left_behind_by_an_upload_that_succeeds(client: Client) -> None:
    await client.upload(ALPHA)
    assert pending(client.server) == []


async def test_between_the_steps_there_is_one_small_file(client: Client) -> None:
    staged = await client.stage(ALPHA)
    announced = pending(client.server)
    await client.post(staged, ALPHA)
    assert (announced, pending(client.server)) == (["announced.tmp"], ["received.tmp"])
    assert blobs(client.server) == [ALPHA.sha256]


async def test_the_bytes_have_to_come_within_the_hour(tmp_path: Path) -> None:
    clock = MovedClock()
    async with running_server(tmp_path, clock=clock, indexing=False) as server:
        server.channel("chan")
        client = Client(server)
        staged = await client.stage(ALPHA)
        clock.seconds += ANNOUNCED_SECONDS + 1
        assert (await client.post(staged, ALPHA)).status == 404
        assert (pending(server), blobs(server)) == ([], [])


async def test_the_commit_has_to_come_before_the_bytes_are_swept(tmp_path: Path) -> None:
    assert RECEIVED_SECONDS < UNNAMED_SECONDS
    clock = MovedClock()
    async with running_server(tmp_path, clock=clock, indexing=False) as server:
        server.channel("chan")
        client = Client(server)
        staged = await client.stage(ALPHA)
        await client.post(staged, ALPHA)
        clock.seconds += RECEIVED_SECONDS + 1
        answer = await client.commit(staged, ALPHA)
        assert (answer.status, (await client.dist(ALPHA)).status) == (404, 404)
        assert answer.json == {"error": NOBODY.format(staged.json["dist_id"].partition("-")[0])}


async def test_what_is_abandoned_is_swept(client: Client) -> None:
    server = client.server
    await client.stage(OTHER)
    await client.post(await client.stage(ALPHA), ALPHA)
    long_ago = server.services.clock.now_ms() / 1000 - 7 * 3600
    for path in (
        *server.services.instance.blobs.incoming.iterdir(),
        *server.services.instance.blobs.root.glob("??/*"),
    ):
        os.utime(path, (long_ago, long_ago))

    instance = server.services.instance
    Sweeper(instance.database, instance.blobs, instance.clock, keep_artifacts_seconds=0).sweep()

    assert (pending(server), blobs(server)) == ([], [])


async def test_a_start_of_the_server_forgets_what_was_under_way(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        server.channel("chan")
        client = Client(server)
        staged = await client.stage(ALPHA)
        await client.post(staged, ALPHA)
        clear_leftovers(server.settings.storage.data_dir)
        assert pending(server) == []
        assert (await client.commit(staged, ALPHA)).status == 404
        assert await client.upload(ALPHA) == [200, 201, 200]


async def test_a_repeated_commit_is_answered_like_the_first(client: Client) -> None:
    staged = await client.stage(ALPHA)
    await client.post(staged, ALPHA)
    answers = [await client.commit(staged, ALPHA) for _ in range(2)]
    assert [(answer.status, answer.json) for answer in answers] == [(200, answers[0].json)] * 2


async def test_a_commit_without_bytes_is_refused(client: Client) -> None:
    staged = await client.stage(ALPHA)
    assert (await client.commit(staged, ALPHA)).status == 404
    assert (await client.dist(ALPHA)).status == 404


@pytest.mark.parametrize(
    "dist_id", ["", "x", "../../x-", "0" * 40, f"{'0' * 40}-{'0' * 64}", "0" * 40 + "\0"]
)
async def test_a_made_up_dist_id_commits_nothing(client: Client, dist_id: str) -> None:
    answer = await client.ask("POST", f"/commit/{ALPHA.path}", {"dist_id": dist_id})
    assert answer.status in (400, 404)
    assert list(answer.json) == ["error"]


async def test_nobody_else_commits_it(server: RunningServer, client: Client) -> None:
    staged = await client.stage(ALPHA)
    await client.post(staged, ALPHA)
    other = Client(server, server.token(grant("upload")))
    assert (await other.commit(staged, ALPHA)).status == 404
    assert (await Client(server, None).commit(staged, ALPHA)).status == 401
    assert (await client.dist(ALPHA)).status == 404
    assert (await client.commit(staged, ALPHA)).status == 200


async def test_it_is_committed_under_its_own_name_only(server: RunningServer, client: Client) -> None:
    server.channel("other")
    staged = await client.stage(ALPHA)
    await client.post(staged, ALPHA)
    elsewhere = [
        Package(ALPHA.data, owner="other"),
        Package(ALPHA.data, subdir="linux-64"),
        Package(ALPHA.data, filename="alpha-1.0-1.conda"),
    ]
    assert [(await client.commit(staged, package)).status for package in elsewhere] == [404, 404, 404]
    assert [(await client.dist(package)).status for package in elsewhere] == [404, 404, 404]


async def test_a_token_that_is_revoked_on_the_way_publishes_nothing(server: RunningServer) -> None:
    token = make_token(server.database, grant("upload", channels="chan"))
    client = Client(server, token)
    staged = await client.stage(ALPHA)
    assert (await client.post(staged, ALPHA)).status == 201
    await server.ask("DELETE", f"/api/v1/tokens/{token.split('-')[1]}")
    assert (await client.commit(staged, ALPHA)).status == 401
    assert (await Client(server).dist(ALPHA)).status == 404


async def test_the_id_is_no_use_for_other_bytes_than_were_announced(client: Client) -> None:
    staged = await client.stage(ALPHA)
    posted = await client.post(staged, OTHER)
    assert posted.status == 422
    assert blobs(client.server) == []
    assert (await client.commit(staged, ALPHA)).status == 404


async def test_unfinished_uploads_have_the_name_of_temporary_files(client: Client) -> None:
    await client.stage(ALPHA)
    assert durable.sweep(client.server.services.instance.blobs.incoming, 2**40) == 1
