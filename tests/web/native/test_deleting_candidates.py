"""In a staging channel everybody deletes what they uploaded; with a token that many share that hides it, no more."""

from __future__ import annotations

import pytest

from tests.support.candidates import Promotable, promotable
from tests.support.packages import build_conda
from tests.support.server import Answer, RunningServer, grant

FILE = "alpha-1.0-0.conda"
PATH = f"/api/v1/channels/staging/files/noarch/{FILE}"
ONE, TWO = (build_conda("alpha", files={"share/alpha": content}) for content in (b"one", b"two"))


@pytest.fixture(autouse=True)
def staging(server: RunningServer) -> None:
    server.channel("staging", kind="staging")


@pytest.fixture
def first(server: RunningServer) -> str:
    """A token that uploads to the channel, and deletes what it may."""
    return server.token(grant("upload", "delete", channels="staging"), name="first")


@pytest.fixture
def second(server: RunningServer) -> str:
    """Another one."""
    return server.token(grant("upload", "delete", channels="staging"), name="second")


async def upload(server: RunningServer, data: bytes, token: str, *labels: str) -> str:
    """Upload, and return the hash."""
    answer = await server.upload(FILE, data, *labels, channel="staging", token=token)
    assert answer.status == 201
    return str(answer.json["sha256"])


async def delete(server: RunningServer, sha256: str, token: str) -> Answer:
    return await server.ask("DELETE", f"{PATH}?sha256={sha256}", token=token)


async def test_the_uploader_hides_its_own(server: RunningServer, first: str) -> None:
    one = await upload(server, ONE, first)

    assert (await delete(server, one, first)).status == 204
    assert (await server.ask("GET", PATH)).problem == (404, "file_missing")
    assert (await server.ask("GET", f"/staging/noarch/{FILE}")).status == 404
    assert await server.shown(channel="staging") == []
    assert promotable(server.database) == [Promotable(one, ("main",), hidden=True)]
    assert (await delete(server, one, first)).problem == (404, "file_missing")


async def test_another_uploader_is_told_in_words(server: RunningServer, first: str, second: str) -> None:
    one = await upload(server, ONE, first)
    refused = await delete(server, one, second)

    assert refused.problem == (403, "candidate_of_another")
    assert refused.json["title"] == (
        f"The candidate noarch/{FILE} of the channel 'staging' with the sha256 {one} was uploaded with another token."
    )
    assert "goes by itself" in refused.json["detail"]
    assert refused.json["data"] == {
        "channel": "staging", "subdir": "noarch", "filename": FILE, "sha256": one,
    }  # fmt: skip
    assert await server.shown(channel="staging") == [FILE]


@pytest.mark.parametrize(
    ("rights", "status"),
    [
        ([grant("delete", "configure", channels="staging")], 204),
        ([grant("delete"), grant("configure", channels="stag*")], 204),
        ([grant("delete", channels="staging"), grant("configure", channels="other")], 403),
        ([grant("delete", "configure", channels="staging", packages="alpha")], 403),
        ([grant("configure", channels="staging")], 403),
        ([grant("upload", "label", "admin")], 403),
    ],
)
async def test_whoever_is_in_charge_of_the_channel_may_as_well(
    server: RunningServer, first: str, rights: list[object], status: int
) -> None:
    one = await upload(server, ONE, first)
    token = server.token(*rights)  # type: ignore[arg-type]

    assert (await delete(server, one, token)).status == status
    assert [each.hidden for each in promotable(server.database)] == [status == 204]


async def test_a_name_belongs_to_nobody(server: RunningServer, first: str, second: str) -> None:
    """Other bytes are one candidate more, whoever was first, and each deletes its own by the hash."""
    one, two = await upload(server, ONE, first), await upload(server, TWO, second)
    ambiguous = await server.ask("DELETE", PATH, token=first)

    assert ambiguous.problem == (409, "candidate_ambiguous")
    assert (await delete(server, one, second)).status == 403
    assert (await delete(server, two, second)).status == 204
    assert (await server.ask("GET", f"/staging/noarch/{FILE}")).body == ONE
    await server.settled("staging")
    repodata = (await server.ask("GET", "/staging/noarch/repodata.json")).json
    assert repodata["packages.conda"][FILE]["sha256"] == one


async def test_the_same_bytes_come_back_to_whoever_uploads_them(
    server: RunningServer, first: str, second: str
) -> None:
    one = await upload(server, ONE, first)
    await delete(server, one, first)
    await upload(server, ONE, second, "rc")

    assert (await server.ask("GET", PATH)).json["file"]["labels"] == ["rc"]
    assert promotable(server.database) == [Promotable(one, ("rc",)), Promotable(one, ("main",))]
    assert (await delete(server, one, first)).status == 403
    assert (await delete(server, one, second)).status == 204


async def test_under_a_shared_token_nothing_is_lost_by_it(server: RunningServer, first: str) -> None:
    one, two = await upload(server, ONE, first), await upload(server, TWO, first)
    for sha256 in (one, two):
        await delete(server, sha256, first)

    assert promotable(server.database) == [
        Promotable(one, ("main",), hidden=True),
        Promotable(two, ("main",), hidden=True),
    ]


async def test_a_locked_label_keeps_a_candidate_in_sight(server: RunningServer, first: str) -> None:
    one = await upload(server, ONE, first)
    await server.ask("PATCH", "/api/v1/channels/staging/labels/main", {"locked": True})

    assert (await delete(server, one, first)).problem == (409, "label_locked")


async def test_a_channel_with_hidden_candidates_is_not_deleted_by_accident(
    server: RunningServer, first: str
) -> None:
    await delete(server, await upload(server, ONE, first), first)

    assert (await server.ask("DELETE", "/api/v1/channels/staging")).problem == (409, "channel_not_empty")
    assert (await server.ask("DELETE", "/api/v1/channels/staging?force=true")).status == 204
