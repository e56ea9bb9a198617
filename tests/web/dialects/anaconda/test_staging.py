"""Uploads to a staging channel over this API: no uploader is in another's way, whatever its client looks up first."""

from __future__ import annotations

import pytest

from tests.support.anaconda import Client, Package
from tests.support.candidates import Promotable, promotable
from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant

ONE, TWO = (
    Package(build_conda("alpha", files={"share/alpha": content}), owner="staging") for content in (b"1", b"2")
)
UPLOADED = [200, 201, 200]


@pytest.fixture(autouse=True)
def staging(server: RunningServer) -> None:
    server.channel("staging", kind="staging")


def ci(server: RunningServer) -> Client:
    """A client of its own token."""
    return Client(server, server.token(grant("upload", "delete", channels="staging")))


async def force(client: Client, package: Package) -> list[int]:
    """Do what ``anaconda upload --force`` does: look, delete what is there, upload."""
    seen = (await client.dist(package)).status
    if seen == 200:
        deleted = await client.ask("DELETE", f"/dist/{package.path}")
        return [seen, deleted.status, *await client.upload(package, "main")]
    return [seen, *await client.upload(package, "main")]


async def seen(client: Client) -> str | None:
    """Say which candidate a look-up shows."""
    answer = await client.dist(ONE)
    return answer.json["sha256"] if answer.status == 200 else None


async def test_force_under_a_shared_token_takes_sight_and_nothing_else(server: RunningServer) -> None:
    shared = ci(server)
    assert await force(shared, ONE) == [404, *UPLOADED]
    assert await force(shared, TWO) == [200, 200, *UPLOADED]

    assert await seen(shared) == TWO.sha256
    assert promotable(server.database) == [
        Promotable(ONE.sha256, ("main",), hidden=True),
        Promotable(TWO.sha256, ("main",)),
    ]


async def test_force_with_the_same_bytes_begins_their_life_anew(server: RunningServer) -> None:
    shared = ci(server)
    await force(shared, ONE)
    await force(shared, TWO)
    assert await force(shared, ONE) == [200, 200, *UPLOADED]

    assert promotable(server.database) == [
        Promotable(TWO.sha256, ("main",), hidden=True),
        Promotable(ONE.sha256, ("main",)),
    ]


async def test_an_uploader_sees_its_own_candidates_and_is_in_nobodys_way(server: RunningServer) -> None:
    """``anaconda upload`` takes whatever it sees under the name for a conflict."""
    first, second = ci(server), ci(server)
    assert await force(first, ONE) == [404, *UPLOADED]
    assert await force(second, TWO) == [404, *UPLOADED]

    everybody, reader = Client(server, None), Client(server, server.token(grant("read")))
    wrong, boss = Client(server, "cd-wrong"), Client(server)
    assert [await seen(client) for client in (first, second)] == [ONE.sha256, TWO.sha256]
    assert [await seen(client) for client in (everybody, reader, wrong, boss)] == [TWO.sha256] * 4


async def test_everybody_deletes_the_newest_of_their_own(server: RunningServer) -> None:
    first, second = ci(server), ci(server)
    await first.upload(ONE, "main")
    await second.upload(TWO, "main")

    assert (await first.ask("DELETE", f"/dist/{ONE.path}")).status == 200
    refused = await first.ask("DELETE", f"/dist/{ONE.path}")
    assert refused.status == 403
    assert f"sha256 {TWO.sha256} was uploaded with another token" in refused.json["error"]
    assert (await Client(server).ask("DELETE", f"/dist/{ONE.path}")).status == 200
    assert [each.hidden for each in promotable(server.database)] == [True, True]
    assert (await first.ask("DELETE", f"/dist/{ONE.path}")).status == 404


@pytest.mark.parametrize("path", ["/release/staging/alpha/1.0", "/package/staging/alpha"])
async def test_a_release_goes_whole_or_not_at_all(server: RunningServer, path: str) -> None:
    first, second = ci(server), ci(server)
    await first.upload(ONE, "main")
    await second.upload(TWO, "main")

    assert (await first.ask("DELETE", path)).status == 403
    assert [each.hidden for each in promotable(server.database)] == [False, False]
    assert (await Client(server).ask("DELETE", path)).status == 201
    assert [each.hidden for each in promotable(server.database)] == [True, True]


async def test_the_same_bytes_under_another_label_take_no_label_away(server: RunningServer) -> None:
    shared = ci(server)
    await shared.upload(ONE, "main")
    assert await shared.upload(ONE, "rc") == UPLOADED

    assert (await shared.labels(ONE)) == ["main", "rc"]
    assert promotable(server.database) == [
        Promotable(ONE.sha256, ("main", "rc")),
        Promotable(ONE.sha256, ("main",)),
        Promotable(ONE.sha256, ("rc",)),
    ]


async def test_a_copy_by_name_is_refused_where_several_are_meant(server: RunningServer) -> None:
    boss = Client(server)
    await boss.upload(ONE, "main")
    await boss.upload(TWO, "main")
    body = {"to_owner": "chan", "from_channel": "main", "to_channel": "main"}

    assert (await boss.ask("POST", f"/copy/package/{ONE.path}", body)).status == 409
    assert await server.shown("main") == []
