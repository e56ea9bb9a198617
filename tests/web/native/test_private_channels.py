"""A private channel is seen through the API by those who may read its documents, and by nobody else."""

from __future__ import annotations

import pytest

from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant

READS = [
    "/api/v1/channels/hidden",
    "/api/v1/channels/hidden/files",
    "/api/v1/channels/hidden/files/noarch/alpha-1.0-0.conda",
    "/api/v1/channels/hidden/labels",
    "/api/v1/channels/hidden/labels/main",
    "/api/v1/channels/hidden/notices",
]


@pytest.fixture(autouse=True)
async def filled(server: RunningServer) -> None:
    server.channel("open")
    server.channel("hidden", private=True)
    await server.upload("alpha-1.0-0.conda", build_conda("alpha"), "main", "dev", channel="hidden")
    await server.settled("hidden")


@pytest.mark.parametrize("path", READS)
async def test_it_takes_a_token_that_may_read(server: RunningServer, path: str) -> None:
    assert (await server.ask("GET", path, token=server.token(grant("read", channels="hid*")))).status == 200
    assert (await server.ask("GET", path, token=None)).problem == (401, "token_required")
    for other in (grant("read", channels="open"), grant("upload", "label", "delete")):
        assert (await server.ask("GET", path, token=server.token(other))).problem == (403, "not_allowed")


@pytest.mark.parametrize("path", READS)
async def test_the_api_agrees_with_the_documents(server: RunningServer, path: str) -> None:
    tokens = [
        None,
        "cd-aaaaaaaaaaaa-" + "a" * 32,
        server.token(grant("read", channels="hidden", labels="main")),
        server.token(grant("upload", channels="hidden")),
    ]
    for token in tokens:
        document = await server.ask("GET", "/hidden/noarch/repodata.json", token=token)
        asked = await server.ask("GET", path, token=token)
        if path.endswith("/files") and document.status == 200:
            assert asked.status == 403  # all files of all labels are more than one label
        else:
            assert asked.status == document.status


async def test_channels_are_listed_for_those_who_may_read_them(server: RunningServer) -> None:
    async def listed(token: str | None) -> list[str]:
        answer = await server.ask("GET", "/api/v1/channels", token=token)
        return [channel["name"] for channel in answer.json["channels"]]

    assert await listed(None) == ["open"]
    assert await listed(server.token(grant("read", channels="x"))) == ["open"]
    assert await listed(server.token(grant("read", labels="dev"))) == ["hidden", "open"]
    assert await listed(server.admin) == ["hidden", "open"]


async def test_labels_are_listed_for_those_who_may_read_them(server: RunningServer) -> None:
    token = server.token(grant("read", labels="d*"))
    answer = await server.ask("GET", "/api/v1/channels/hidden/labels", token=token)
    assert [label["name"] for label in answer.json["labels"]] == ["dev"]
    other = await server.ask("GET", "/api/v1/channels/hidden/labels/main", token=token)
    assert other.problem == (403, "not_allowed")


async def test_an_old_token_in_somebodys_configuration_harms_nobody(server: RunningServer) -> None:
    stale = "cd-aaaaaaaaaaaa-" + "a" * 32
    assert (await server.ask("GET", "/api/v1/channels/open/files", token=stale)).status == 200
