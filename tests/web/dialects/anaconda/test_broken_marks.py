"""conda-forge marks files as broken and mends them with two calls, and takes nothing but 201 for success."""

from __future__ import annotations

import pytest

from tests.support.anaconda import Client, Package
from tests.support.packages import build_conda, build_tar_bz2
from tests.support.server import RunningServer, grant

PACKAGES = {
    "noarch/alpha-1.0-0.conda": Package(build_conda("alpha")),
    "linux-64/alpha-1.0-0.tar.bz2": Package(
        build_tar_bz2("alpha", subdir="linux-64"), "alpha-1.0-0.tar.bz2", "linux-64"
    ),
}


@pytest.mark.parametrize("basename", PACKAGES)
async def test_a_file_is_hidden_and_comes_back(server: RunningServer, client: Client, basename: str) -> None:
    package = PACKAGES[basename]
    await client.upload(package)
    named = {"basename": basename, "package": "alpha", "version": "1.0"}
    token = server.token(grant("label", channels="chan", labels="broken"))
    marker = Client(server, token)

    marked = await marker.ask("POST", "/channels/chan/broken", named)
    assert (marked.status, await client.labels(package)) == (201, ["broken", "main"])
    assert await server.shown(subdir=package.subdir) == []
    assert await server.shown("broken", package.subdir) == [package.filename]

    mended = await marker.ask("DELETE", "/channels/chan/broken", named)
    assert (mended.status, await client.labels(package)) == (201, ["main"])
    assert await server.shown(subdir=package.subdir) == [package.filename]
    assert await server.shown("broken", package.subdir) == []


async def test_mending_what_was_never_broken_is_no_error(client: Client) -> None:
    package = PACKAGES["noarch/alpha-1.0-0.conda"]
    await client.upload(package)
    named = {"basename": "noarch/alpha-1.0-0.conda", "package": "alpha", "version": "1.0"}
    assert (await client.ask("DELETE", "/channels/chan/broken", named)).status == 201


async def test_a_file_that_is_not_there_cannot_be_marked(client: Client) -> None:
    named = {"basename": "noarch/alpha-1.0-0.conda", "package": "alpha", "version": "1.0"}
    assert (await client.ask("POST", "/channels/chan/broken", named)).status == 404
